{{- /* llm-serving.extraObjects: objects of the user's own, as they are written, installed and checked with the release. */ -}}
{{- define "llm-serving.extraObjects" -}}
{{- range .Values.extraObjects }}
---
{{ toYaml . }}
{{- end }}
{{- end -}}
