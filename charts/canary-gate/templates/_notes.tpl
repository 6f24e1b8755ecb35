{{- /* canary-gate.notes: where it is asked, and what to do when it is silent. A define, so that the umbrella can print it. */ -}}
{{- define "canary-gate.notes" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $url := include "canary-gate.url" . -}}
{{- $ns := .Release.Namespace -}}
Canary gate: {{ $url }} judges updates for the Argo Rollouts controller in {{ .Values.rollouts.namespace }}.
{{- if ne $llm.environment.gate.url $url }}
   Releases have gates only where they know it: write global: {llm: {environment: {gate: {url: {{ $url | quote }}}}}} in values/environments.
{{- end }}
   Does it run?            kubectl -n {{ $ns }} get deployment {{ .Values.name }}
   What did it say of R?   kubectl -n {{ $ns }} exec deploy/{{ .Values.name }} -- python3 -m llmops.services.gate --folder=/rollouts --show=NAMESPACE/R
   Every look as a line:   kubectl -n {{ $ns }} logs deploy/{{ .Values.name }}
   While it is away, or Prometheus ({{ $llm.environment.monitoring.prometheusUrl }}), rollouts stand still and go on afterwards.
{{- if .Values.serviceMonitor.enabled }}
   Not scraped? Your Prometheus must select it by its labels, and must not override honorLabels:
   kubectl -n {{ $ns }} get servicemonitor {{ .Values.name }} --show-labels
{{- end }}
{{- end -}}
