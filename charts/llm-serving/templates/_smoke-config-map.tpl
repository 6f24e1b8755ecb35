{{- /* llm-serving.smokeScriptName: a Job of an update that is under way keeps the script that it began with. */ -}}
{{- define "llm-serving.smokeScriptName" -}}
{{- printf "%s-smoke-%s" .Release.Name (.Files.Get "files/smoke.py" | sha256sum | trunc 8) -}}
{{- end -}}

{{- /* llm-serving.smokeConfigMap: the script of the smoke gate, which every engine's chart has as files/smoke.py. */ -}}
{{- define "llm-serving.smokeConfigMap" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $jobs := include "llm-common.once" (list . "llm-serving.gateJobs") | get .Values -}}
{{- if and .Values.smoke.enabled $jobs.addressed }}
{{- $labels := dict "root" . "component" "job" "llm" $context.llm }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "llm-serving.smokeScriptName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" $labels | nindent 4 }}
data:
  smoke.py: {{ .Files.Get "files/smoke.py" | toJson }}
{{- end }}
{{- end -}}
