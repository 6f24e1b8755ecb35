{{- /* gpu-hpa.notes: why it does not scale, as commands. A define, so that the umbrella can print it. */ -}}
{{- define "gpu-hpa.notes" -}}
{{- if eq .Values.scope "cluster" -}}
{{- $name := printf "%s-adapter-rules" .Release.Name -}}
Rules of prometheus-adapter: ConfigMap {{ $name }}. The adapter must read them. Values for its own Helm chart:
   { printf 'rules:\n  default: false\n  external:\n'; kubectl -n {{ .Release.Namespace }} get configmap {{ $name }} -o jsonpath='{.data.config\.yaml}' | tail -n +2; } > adapter.yaml
Not rules.existing: that chart registers the external metrics only where it is given rules.external.
   kubectl get --raw /apis/external.metrics.k8s.io/v1beta1
{{- else -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $ns := .Release.Namespace -}}
{{- $name := .Release.Name -}}
{{- $metrics := include "gpu-hpa.metrics" (dict "root" . "llm" $llm "inline" true "matchers" (printf "namespace=%q,release=%q" $ns $name)) | fromYamlArray -}}
Autoscaling: {{ int $llm.replicas.min }} to {{ int $llm.replicas.max }} servers of {{ .Values.workload }}/{{ include "llm-common.workloadName" . }} by {{ .Values.backend }}
{{- if eq .Values.preset "demand" }}, one for every {{ int .Values.inFlightPerReplica }} requests running or waiting.
{{- else if eq .Values.preset "slo" }}, one for every {{ int .Values.inFlightPerReplica }} requests running or waiting where latency is {{ mulf .Values.slo.headroom 100 | int }} % of the promise; fewer where it is longer.
{{- else if eq .Values.preset "tokens" }}, one for every {{ (first $metrics).target }} prompt tokens that wait, or {{ int .Values.inFlightPerReplica }} requests, whichever asks for more.
{{- else }}, by GPU utilization ({{ int .Values.classic.gpuUtilization }} %) and requests per second.
   GPU utilization says little here: an engine that decodes a few requests keeps its GPU as busy as one that is full. Expect
   the maximum under any steady load; requests that wait are seen by neither. preset: demand does not have this weakness.
{{- end }}
{{- if eq .Values.workload "LeaderWorkerSet" }}
   A server is a group of pods, which come and go together; what its leader holds is what counts.
{{- end }}
{{- if not $llm.components.monitoring }}
   Nobody in this release scrapes the engine (global.llm.components.monitoring): your own scrape must give every series the labels namespace, pod and release.
{{- end }}
{{- if not (kindIs "invalid" .Values.capacity.inFlight) }}
   One server holds {{ int .Values.capacity.inFlight }} requests of {{ int .Values.requestTokens.prompt }} + {{ int .Values.requestTokens.generated }} tokens at most, as `llmops fit --write` computed.
{{- end }}
{{- with .Values.spareReplicas }}
   {{ int . }} more than the load asks for, so that a burst finds them loaded.
{{- end }}
{{- range .Values.schedule }}
   At least {{ int .replicas }} from {{ .start }} to {{ .end }} ({{ .timezone }}).
{{- end }}
{{- if .Values.scaleToZero.activationQuery }}
   None while nobody asks; the first request after that waits for a whole cold start ({{ int .Values.coldStartSeconds }} s) or is refused, as your gateway has it.
{{- end }}
   Why does it not scale?  kubectl -n {{ $ns }} describe hpa {{ $name }}
{{- if eq .Values.backend "keda" }}
   Is KEDA in fallback?    kubectl -n {{ $ns }} get scaledobject {{ $name }} -o jsonpath='{.status.conditions}'
   What does Prometheus say? An empty answer holds the number of servers:
   {{- range $metrics }}
   curl -G {{ $llm.environment.monitoring.prometheusUrl }}/api/v1/query --data-urlencode 'query={{ .query }}'
   {{- end }}
{{- else }}
   What does it see? NotFound, or no items: the number of servers is held, see your prometheus-adapter (gpu-hpa, scope: cluster) and the scrape:
   {{- range $metrics }}
   kubectl get --raw '/apis/external.metrics.k8s.io/v1beta1/namespaces/{{ $ns }}/{{ .name }}?labelSelector=release%3D{{ $name }}'
   {{- end }}
{{- end }}
{{- end -}}
{{- end -}}
