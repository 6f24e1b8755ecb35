{{- /* canary-gate.notes: where it is asked, and what to do when it is silent. A define, so that the umbrella can print it. */ -}}
{{- define "canary-gate.notes" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $facts := include "canary-gate.facts" (dict "root" . "llm" $llm) | fromYaml -}}
{{- $ns := .Release.Namespace -}}
Canary gate: {{ $facts.url }} judges updates for the Argo Rollouts controller in {{ .Values.rollouts.namespace }}.
{{- if ne $llm.environment.gate.url $facts.url }}
   Releases have gates only where they know it: write global: {llm: {environment: {gate: {url: {{ $facts.url | quote }}}}}} in values/environments.
{{- end }}
   Does it run?            kubectl -n {{ $ns }} get deployment {{ .Values.name }}
   What did it say of R?   kubectl -n {{ $ns }} exec deploy/{{ .Values.name }} -- python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:{{ int .Values.port }}/v1/evidence/NAMESPACE/R").read().decode())'
   Every look as a line:   kubectl -n {{ $ns }} logs deploy/{{ .Values.name }}
   While it is away, or Prometheus ({{ $llm.environment.monitoring.prometheusUrl }}), rollouts stand still and go on afterwards.
{{- if .Values.serviceMonitor.enabled }}
   Not scraped? Your Prometheus must select it by its labels, and must not override honorLabels:
   kubectl -n {{ $ns }} get servicemonitor {{ .Values.name }} --show-labels
{{- end }}
{{- end -}}
