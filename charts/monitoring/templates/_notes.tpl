{{- /* monitoring.notes: how to see that scrapes arrive. A define, so that the umbrella can print it. */ -}}
{{- define "monitoring.notes" -}}
{{- if eq .Values.scope "model" -}}
Scrapes: PodMonitor {{ .Release.Name }} (every {{ .Values.podMonitor.interval }}). Nothing arrives? Your Prometheus must select it by its labels:
   kubectl -n {{ .Release.Namespace }} get podmonitor {{ .Release.Name }} --show-labels
   kubectl get prometheus -A -o jsonpath='{.items[*].spec.podMonitorSelector}'
Rules: PrometheusRule {{ .Release.Name }} records llm:… series, selected by spec.ruleSelector in the same way.
{{- else -}}
Dashboards: ConfigMaps {{ .Release.Name }}-dashboard-… in {{ .Values.dashboards.namespace | default .Release.Namespace }}. Grafana's sidecar must look there for the label {{ .Values.dashboards.label }}={{ .Values.dashboards.labelValue }}:
   kubectl -n {{ .Values.dashboards.namespace | default .Release.Namespace }} get configmap -l {{ .Values.dashboards.label }}={{ .Values.dashboards.labelValue }}
{{- end -}}
{{- end -}}
