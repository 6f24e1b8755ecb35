{{- /* gpu-hpa.notes: why it does not scale, as commands. A define, so that the umbrella can print it. */ -}}
{{- define "gpu-hpa.notes" -}}
{{- if eq .Values.scope "cluster" -}}
{{- $name := printf "%s-adapter-rules" .Release.Name -}}
Rules of prometheus-adapter: ConfigMap {{ $name }}. The adapter must read it (its Helm chart: rules.existing: {{ $name }}, same namespace).
   kubectl get --raw /apis/external.metrics.k8s.io/v1beta1
{{- else -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $ns := .Release.Namespace -}}
{{- $name := .Release.Name -}}
{{- $metrics := include "gpu-hpa.metrics" (dict "root" . "llm" $llm "matchers" (printf "namespace=%q,release=%q" $ns $name)) | fromYamlArray -}}
Autoscaling: {{ int $llm.replicas.min }} to {{ int $llm.replicas.max }} servers of {{ .Values.workload }}/{{ include "llm-common.workloadName" . }} by {{ .Values.backend }}
{{- if eq .Values.preset "demand" }}, one for every {{ int .Values.inFlightPerReplica }} requests running or waiting.
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
