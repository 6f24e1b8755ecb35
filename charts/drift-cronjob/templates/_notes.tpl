{{- /* drift-cronjob.notes: how to run the check at once and see what it found. A define, so that the umbrella can print it. */ -}}
{{- define "drift-cronjob.notes" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $facts := include "drift-cronjob.facts" (dict "root" . "llm" $llm) | fromYaml -}}
{{- $ns := .Release.Namespace -}}
{{- if eq .Values.scope "cluster" -}}
Drift results: http://{{ .Values.exporter.name }}.{{ $ns }}:{{ int .Values.exporter.port }}/metrics
{{- if ne $ns $llm.environment.monitoring.namespace }}
   Releases look for it in {{ $llm.environment.monitoring.namespace }}. Write in each: drift-cronjob: {exporter: {url: "http://{{ .Values.exporter.name }}.{{ $ns }}:{{ int .Values.exporter.port }}"}}
{{- end }}
{{- if .Values.serviceMonitor.enabled }}
   Not scraped? Your Prometheus must select it by its labels, and must not override honorLabels:
   kubectl -n {{ $ns }} get servicemonitor {{ .Values.exporter.name }} --show-labels
{{- end }}
{{- else -}}
Drift: CronJob {{ $facts.name }} ({{ $facts.schedule }}, {{ .Values.timeZone }}) compares {{ .Values.window }} with
{{- if .Values.reference.configMap }} the reference in ConfigMap {{ .Values.reference.configMap }}
{{- else }} those {{ .Values.reference.offset }} before
{{- end }}; a score above {{ $llm.slo.driftScore }} is a drift.
   Run it now:  kubectl -n {{ $ns }} create job {{ $facts.name }}-now --from=cronjob/{{ $facts.name }}
   Its result:  kubectl -n {{ $ns }} logs job/{{ $facts.name }}-now
   It is shown by the exporter of the cluster, {{ $facts.exporterUrl }} (llm-platform, or this chart with scope: cluster).
{{- end -}}
{{- end -}}
