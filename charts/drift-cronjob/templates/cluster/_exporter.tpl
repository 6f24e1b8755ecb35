{{- /* drift-cronjob.exporter: the description of the exporter, as llm-common.program takes it. */ -}}
{{- define "drift-cronjob.exporter" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $facts := include "drift-cronjob.facts" (dict "root" . "llm" $llm) | fromYaml -}}
{{- with .Values.exporter -}}
name: {{ .name | quote }}
component: exporter
container: exporter
image: {{ $facts.image | quote }}
portName: metrics
port: {{ int .port }}
module: llmops.services.results
args:
  - --port={{ int .port }}
  - --folder=/results
  - --forget-after={{ .forgetAfter }}
  {{- with $.Values.retrain }}
  {{- if .url }}
  - --retrain-url={{ .url }}
  - --retrain-cooldown={{ .cooldown }}
  - --retrain-budget={{ int .budget }}
  {{- if .onNewData }}
  - --retrain-on-new-data
  {{- end }}
  {{- if .approval }}
  - --retrain-approval
  {{- end }}
  {{- with .approved }}
  - --retrain-approved
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - name: RETRAIN_SECRET
    valueFrom:
      secretKeyRef: {name: {{ .secret.name | quote }}, key: {{ .secret.key | quote }}}
  {{- with include "llm-common.proxyVariables" (dict "llm" $llm "direct" list) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
egress:
  {{- include "llm-common.dnsRule" (dict "llm" $llm) | nindent 2 }}
  {{- include "llm-common.egressRule" (dict "llm" $llm "url" .url) | nindent 2 }}
  {{- with $llm.environment.proxy.url }}
  {{- include "llm-common.proxyRule" (dict "llm" $llm "url" .) | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- end }}
livenessSeconds: 5
ephemeralMiB: 64
volume: {name: results, path: /results, claim: {{ .existingClaim | quote }}, size: 32Mi}
ingress:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ $llm.environment.monitoring.namespace | quote }}
  {{- /* The jobs of this chart, in any namespace. */}}
  - namespaceSelector: {}
    podSelector:
      matchLabels:
        app.kubernetes.io/name: {{ $.Chart.Name | quote }}
        app.kubernetes.io/component: job
{{- end -}}
{{- end -}}
