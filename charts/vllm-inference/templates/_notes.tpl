{{- /* vllm-inference.notes: what to do next, with exact commands. A define, so that the umbrella can print it. */ -}}
{{- define "vllm-inference.notes" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $llm := $context.llm -}}
{{- $facts := $context.facts -}}
{{- $name := .Release.Name -}}
{{- $header := empty .Values.engine.apiKey.secret | ternary "" " -H \"Authorization: Bearer $KEY\"" -}}
{{- $ns := .Release.Namespace -}}
{{ $llm.model.name }} on vLLM {{ .Values.engine.version }}: {{ $facts.autoscaled | ternary (printf "up to %d" (int $facts.mostReplicas)) (toString $facts.replicas) }} x {{ int $facts.gpusPerReplica }} GPU{{ with $llm.gpu.product }} {{ . }}{{ end }}{{ if gt (int $facts.nodes) 1 }} over {{ int $facts.nodes }} nodes{{ end }}{{ if $facts.split }} and {{ int $facts.prefillReplicas }} x {{ int $facts.prefillGpus }} GPU for prefill{{ end }}, {{ int $facts.peakGpus }} GPUs at the peak of an update{{ with $llm.gpu.budget }} (budget {{ int . }}){{ end }}.
{{- range include "vllm-inference.movedFlags" . | fromJsonArray }}
Deprecated: {{ .given }} in engine.extraArgs has a key by now, engine.{{ .key }}: set that and remove the flag. Version {{ .until }} of the chart refuses it.
{{- end }}
{{- if and $facts.split $llm.components.monitoring (not $llm.components.prefill) }}
Deprecated: the PodMonitor {{ $name }}-prefill is the chart monitoring's: write global: {llm: {components: {prefill: true}}}, and split.podMonitorLabels as
monitoring's podMonitor.labels. Version 0.3.0 of the chart does not render it.
{{- end }}
{{- if $facts.autoscaled }}
An autoscaler owns the number of servers. Where it is not that of gpu-hpa, it must target {{ .Values.workload }}/{{ $name }}{{ eq .Values.workload "LeaderWorkerSet" | ternary "-nodes" "" }}; without one there is a single server.
{{- end }}

1. Wait until it serves (loading is given {{ int $facts.startupSeconds }} s):
{{- if $facts.rollout }}
   kubectl -n {{ $ns }} wait --for=jsonpath='{.status.phase}'=Healthy --timeout={{ int $facts.progressDeadlineSeconds }}s rollout/{{ $name }}
   (`helm --wait` cannot tell: it does not know when a Rollout is ready.)
{{- else if gt (int $facts.nodes) 1 }}
   kubectl -n {{ $ns }} wait --for=condition=Available --timeout={{ int $facts.progressDeadlineSeconds }}s leaderworkerset/{{ $name }}-nodes
{{- else }}
   kubectl -n {{ $ns }} rollout status deployment/{{ $name }} --timeout={{ int $facts.progressDeadlineSeconds }}s
{{- if $facts.split }}
   kubectl -n {{ $ns }} rollout status deployment/{{ $name }}-prefill --timeout={{ int $facts.progressDeadlineSeconds }}s
{{- end }}
{{- end }}
   It stays pending:  kubectl -n {{ $ns }} get events --field-selector reason=FailedScheduling
   It restarts:       kubectl -n {{ $ns }} logs -l app.kubernetes.io/instance={{ $name }},app.kubernetes.io/component=engine -c engine --previous --tail=50

2. Ask it what a client would ask:
   helm test {{ $name }} -n {{ $ns }} --logs

3. Use it:
{{- if or (ne .Values.trafficRouter "none") .Values.route.ingress.className }}
   curl {{ .Values.route.tls | ternary "https" "http" }}://{{ $facts.host }}/v1/models{{ $header }}
{{- else }}
   kubectl -n {{ $ns }} port-forward service/{{ $name }} 8000:{{ int .Values.service.port }}
   curl http://127.0.0.1:8000/v1/models{{ $header }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
   Other pods get no answer: namespaces {{ $llm.environment.gateway.namespace }} and {{ $llm.environment.monitoring.namespace }} may, and what you add under {{ .Chart.IsRoot | ternary "" "vllm-inference." }}networkPolicy.allowFrom.
{{- end }}
{{- if $facts.rollout }}

{{ include "llm-serving.upgradeNotes" (dict "root" . "context" $context) }}
{{- end }}
{{- end -}}
