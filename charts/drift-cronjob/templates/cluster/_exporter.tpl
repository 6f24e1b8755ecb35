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
