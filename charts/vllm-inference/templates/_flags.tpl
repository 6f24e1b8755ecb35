{{- /*
vllm-inference.setting (dict "root" $ "key" "lora.maxRank"): a key under `engine`, as JSON: `set` and `is`. Null, "", {} and [] are not
set; false and 0 are.
*/ -}}
{{- define "vllm-inference.setting" -}}
{{- $value := .root.Values.engine -}}
{{- range splitList "." .key -}}
{{- $value = kindIs "map" $value | ternary (get ($value | default dict) .) "" -}}
{{- end -}}
{{- $unset := or (kindIs "invalid" $value) (and (kindIs "string" $value) (empty $value)) (and (or (kindIs "map" $value) (kindIs "slice" $value)) (empty $value)) -}}
{{- dict "set" (not $unset) "is" $value | toJson -}}
{{- end -}}

{{- /* vllm-inference.flag (dict "root" $ "row" row of the table): the words of one flag as a JSON list, empty when its key is not set. */ -}}
{{- define "vllm-inference.flag" -}}
{{- $row := .row -}}
{{- $arguments := list -}}
{{- /* Numbers arrive as floats: a bare 1048576 would print as 1.048576e+06. */ -}}
{{- $found := include "vllm-inference.setting" (dict "root" .root "key" $row.key) | fromJson -}}
{{- $value := $found.is -}}
{{- $emit := $row.emit | default "value" -}}
{{- if not $found.set -}}
{{- else if eq $emit "switch" -}}
{{- $arguments = list ($value | ternary $row.flag (printf "--no-%s" (trimPrefix "--" $row.flag))) -}}
{{- else if eq $emit "present" -}}
{{- $arguments = list $row.flag -}}
{{- else if eq $emit "list" -}}
{{- $arguments = concat (list $row.flag) $value -}}
{{- else if eq $emit "adapters" -}}
{{- $arguments = list $row.flag -}}
{{- range $value -}}
{{- $arguments = append $arguments (printf "%s=%s%s" .name (hasPrefix "/" .path | ternary "" "/adapters/") .path) -}}
{{- end -}}
{{- else if eq $emit "json" -}}
{{- $named := dict -}}
{{- range $ours, $theirs := $row.names -}}
{{- if hasKey $value $ours -}}
{{- $_ := set $named $theirs (get $value $ours) -}}
{{- end -}}
{{- end -}}
{{- $arguments = list (printf "%s=%s" $row.flag (toJson $named)) -}}
{{- else -}}
{{- $arguments = list (printf "%s=%s" $row.flag (kindIs "string" $value | ternary (toString $value) (toJson $value))) -}}
{{- end -}}
{{- toJson $arguments -}}
{{- end -}}

{{- /*
vllm-inference.extraFlag ARGUMENT: the flag that an argument of engine.extraArgs sets. vLLM takes underscores for dashes, a value after '='
or in the next word, parts of JSON after a dot, and short forms.
*/ -}}
{{- define "vllm-inference.extraFlag" -}}
{{- regexReplaceAll "[.].*$" (regexFind "^[^= ]+" . | replace "_" "-") "" -}}
{{- end -}}

{{- /*
vllm-inference.movedFlags: flags in engine.extraArgs that are taken there although they have a key by now, which is not set, as a JSON list of
`given`, `key` and `until`, the version of the chart that refuses them.
*/ -}}
{{- define "vllm-inference.movedFlags" -}}
{{- $root := . -}}
{{- $moved := list -}}
{{- if .Values.engine.extraArgs -}}
{{- range (include "llm-common.once" (list . "vllm-inference.table") | get .Values).flags -}}
{{- if .keySince -}}
{{- $row := . -}}
{{- $version := semver .keySince -}}
{{- $until := printf "%d.%d.0" $version.Major (add 1 $version.Minor) -}}
{{- $set := (include "vllm-inference.setting" (dict "root" $root "key" .key) | fromJson).set -}}
{{- range $root.Values.engine.extraArgs -}}
{{- $given := include "vllm-inference.extraFlag" . -}}
{{- if and (not $set) (or (eq $given $row.flag) (has $given ($row.aliases | default list))) (semverCompare (printf "<%s-0" $until) $root.Chart.Version) -}}
{{- $moved = append $moved (dict "given" $given "key" $row.key "until" $until) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $moved -}}
{{- end -}}

{{- /* vllm-inference.mounts, vllm-inference.volumes (as the pod): what the engine reads beside the model. */ -}}
{{- define "vllm-inference.mounts" -}}
{{- $folders := .table.folders -}}
{{- with .root.Values.engine -}}
{{- if .chatTemplate.configMap }}
- {name: chat-template, mountPath: {{ $folders.chatTemplate }}, readOnly: true}
{{- end }}
{{- if .tls.secret }}
- {name: tls, mountPath: {{ $folders.tls }}, readOnly: true}
{{- end }}
{{- if .lora.claim }}
- {name: adapters, mountPath: /adapters, readOnly: true}
{{- end }}
{{- end -}}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "vllm-inference.volumes" -}}
{{- with .root.Values.engine -}}
{{- with .chatTemplate.configMap }}
- name: chat-template
  configMap: {name: {{ . | quote }}}
{{- end }}
{{- with .tls.secret }}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .lora.claim }}
- name: adapters
  persistentVolumeClaim: {claimName: {{ . | quote }}, readOnly: true}
{{- end }}
{{- end -}}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
