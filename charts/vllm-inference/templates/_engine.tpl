{{- /*
vllm-inference.arguments (as the pod): the engine's command line as a YAML list. Typed values become flags by the generated
table, in its order and only when set; what the user adds comes last.
*/ -}}
{{- define "vllm-inference.arguments" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $table := .table -}}
{{- with .root -}}
{{- $arguments := list $facts.modelArgument (printf "--served-model-name=%s" $llm.model.name) -}}
{{- if and (eq $facts.scheme "hf") $llm.model.revision -}}
{{- range list "--revision" "--tokenizer-revision" "--code-revision" -}}
{{- $arguments = append $arguments (printf "%s=%s" . $llm.model.revision) -}}
{{- end -}}
{{- end -}}
{{- $engine := .Values.engine -}}
{{- range $table.flags -}}
{{- $value := $engine -}}
{{- range splitList "." .key -}}
{{- $value = get $value . -}}
{{- end -}}
{{- if and (not (kindIs "invalid" $value)) (ne (toString $value) "") -}}
{{- /* Numbers arrive as floats: a bare 1048576 would print as 1.048576e+06. */ -}}
{{- $text := kindIs "string" $value | ternary (toString $value) (toJson $value) -}}
{{- $arguments = append $arguments (printf "%s=%s" .flag $text) -}}
{{- end -}}
{{- end -}}
{{- $arguments = append $arguments (printf "--shutdown-timeout=%d" (int .Values.lifecycle.longestStreamSeconds)) -}}
{{- $arguments = append $arguments "--disable-access-log-for-endpoints=/health,/metrics,/ping" -}}
{{- concat $arguments .Values.engine.extraArgs | toYaml -}}
{{- end -}}
{{- end -}}

{{- /* vllm-inference.environment (as the pod): environment variables of the engine as a YAML list. Secrets only by reference. */ -}}
{{- define "vllm-inference.environment" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $table := .table -}}
{{- with .root -}}
- name: HOME
  value: {{ $table.home | quote }}
- name: VLLM_NO_USAGE_STATS
  value: "1"
{{- /* Gateways keep idle connections (Traefik 90 s, Envoy an hour). The engine's own 5 s would close one just as a request
arrives on it, which the gateway answers with 502. */}}
- name: VLLM_HTTP_TIMEOUT_KEEP_ALIVE
  value: "3660"
{{- if $facts.offline }}
- name: HF_HUB_OFFLINE
  value: "1"
{{- else }}
{{- with $llm.environment.hubEndpoint }}
- name: HF_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with .Values.hub.tokenSecret }}
{{- if .name }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .name | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.engine.apiKey }}
{{- if .secret }}
- name: VLLM_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- with .Values.engine.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}
