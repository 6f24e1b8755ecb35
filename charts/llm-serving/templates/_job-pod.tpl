{{- /* llm-serving.pullSecrets: `imagePullSecrets` of a pod. */ -}}
{{- define "llm-serving.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* llm-serving.clientKey: the key that a client of the engine sends, if it wants one. */ -}}
{{- define "llm-serving.clientKey" -}}
{{- with .Values.engine.apiKey -}}
{{- if .secret -}}
- name: API_KEY
  valueFrom:
    secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}
{{- end -}}
{{- end -}}
{{- end -}}
