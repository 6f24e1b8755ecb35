{{- /* llm-serving.serviceAccount: whom the pods run as. */ -}}
{{- define "llm-serving.serviceAccount" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $llm) | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}
