{{- /* monitoring.notes: how to see that scrapes arrive. A define, so that the umbrella can print it. */ -}}
{{- define "monitoring.notes" -}}
Scrapes: PodMonitor {{ .Release.Name }} (every {{ .Values.podMonitor.interval }}). Nothing arrives? Your Prometheus must select it by its labels:
   kubectl -n {{ .Release.Namespace }} get podmonitor {{ .Release.Name }} --show-labels
   kubectl get prometheus -A -o jsonpath='{.items[*].spec.podMonitorSelector}'
{{- end -}}
