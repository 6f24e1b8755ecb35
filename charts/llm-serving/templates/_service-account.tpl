{{- /* llm-serving.serviceAccountName: whom the pods run as; one that exists already where none is created, as in `helm create`. */ -}}
{{- define "llm-serving.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary .Release.Name "default") -}}
{{- end -}}

{{- /* llm-serving.serviceAccount: annotations are what IRSA and the workload identities of GKE and Azure go by. */ -}}
{{- define "llm-serving.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "llm-serving.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $llm) | nindent 4 }}
  {{- with .Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end -}}
