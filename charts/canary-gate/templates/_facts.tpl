{{- /* canary-gate.facts: what several templates read, as YAML. Takes (dict "root" $ "llm" $llm). */ -}}
{{- define "canary-gate.facts" -}}
{{- $monitoring := .llm.environment.monitoring -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $image := printf "%s:%s" $v.image.repository ($v.image.tag | default .Chart.AppVersion | default .Chart.Version) -}}
{{- with $v.image.registry | default $.llm.environment.registry -}}
{{- $image = printf "%s/%s" . $image -}}
{{- end -}}
{{- with $v.image.digest -}}
{{- $image = printf "%s@%s" $image . -}}
{{- end -}}
image: {{ $image | quote }}
url: {{ printf "http://%s.%s:%d" $v.name .Release.Namespace (int $v.port) | quote }}
prometheusPort: {{ $v.networkPolicy.prometheusPort | default (include "canary-gate.port" $monitoring.prometheusUrl) | int }}
{{- end -}}
{{- end -}}

{{- /* canary-gate.port: the port of a URL. */ -}}
{{- define "canary-gate.port" -}}
{{- regexFind ":[0-9]+" . | trimPrefix ":" | default (hasPrefix "https:" . | ternary 443 80) -}}
{{- end -}}
