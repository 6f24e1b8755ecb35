{{- /* drift-cronjob.feedback: the description of the service that takes feedback, as llm-common.program takes it. */ -}}
{{- define "drift-cronjob.feedback" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $facts := include "drift-cronjob.facts" (dict "root" . "llm" $llm) | fromYaml -}}
{{- with .Values.feedback -}}
name: {{ .name | quote }}
component: feedback
container: feedback
image: {{ $facts.image | quote }}
portName: http
port: {{ int .port }}
module: llmops.services.feedback
args:
  - --port={{ int .port }}
  - --folder=/feedback
  - {{ printf "--clients=/secrets/%s" .clientsSecret.key | quote }}
livenessSeconds: 5
ephemeralMiB: 64
volume: {name: feedback, path: /feedback, claim: {{ .existingClaim | quote }}, size: 256Mi}
files:
  - secret:
      name: {{ .clientsSecret.name | quote }}
      items:
        - {key: {{ .clientsSecret.key | quote }}, path: {{ .clientsSecret.key | quote }}}
ingress:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ $llm.environment.monitoring.namespace | quote }}
  {{- with .from }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- /* drift-cronjob.feedbackObject (list $ KIND): an object of it, where it is switched on. */ -}}
{{- define "drift-cronjob.feedbackObject" -}}
{{- with index . 0 -}}
{{- if and (eq .Values.scope "cluster") .Values.feedback.enabled -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $program := include "llm-common.once" (list . "drift-cronjob.feedback") | get .Values -}}
{{- include "llm-common.program" (list (index $ 1) . $program $llm) -}}
{{- end -}}
{{- end -}}
{{- end -}}
