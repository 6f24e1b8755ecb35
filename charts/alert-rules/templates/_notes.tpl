{{- /* alert-rules.notes: how to see that alerts arrive. A define, so that the umbrella can print it. */ -}}
{{- define "alert-rules.notes" -}}
Alerts: PrometheusRule {{ .Release.Name }}-alerts. A release has alerts once its own chart says so:
   global: {llm: {components: {monitoring: true, alerts: true}}}
   Not loaded? Your Prometheus must select it by its labels:
   kubectl -n {{ .Release.Namespace }} get prometheusrule {{ .Release.Name }}-alerts --show-labels
   kubectl get prometheus -A -o jsonpath='{.items[*].spec.ruleSelector}'
{{- if not .Values.receivers }}
Receivers: none. Alerts go where your Alertmanager sends them already; all carry the label service="llm".
{{- else if eq .Values.alertmanager.format "AlertmanagerConfig" }}
Receivers: AlertmanagerConfig {{ .Release.Name }}-alerts. The operator adds namespace="{{ .Release.Namespace }}" to every route unless Alertmanager has
   alertmanagerConfigMatcherStrategy: {type: None}
   and then alerts of other namespaces, of nodes and of GPUs reach nobody. See what yours has:
   kubectl get alertmanager -A -o jsonpath='{.items[*].spec.alertmanagerConfigMatcherStrategy}'
{{- else }}
Receivers: ConfigMap {{ .Release.Name }}-alertmanager, key alertmanager.yml. Start Alertmanager with it, and mount the Secrets below {{ .Values.alertmanager.secretsPath }}.
{{- end }}
{{- end -}}
