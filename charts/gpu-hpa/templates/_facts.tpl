{{- /*
gpu-hpa.metrics: what the release is scaled on, as a YAML list of name, query and target. Every target is an average per
server of a total over the release, so a canary's extra pods do not change what is asked for.
Takes (dict "root" $ "llm" $llm "matchers" `release="x"`).
*/ -}}
{{- define "gpu-hpa.metrics" -}}
{{- $v := .root.Values -}}
{{- $queries := include "gpu-hpa.queries" . | fromYaml -}}
{{- if eq $v.preset "demand" -}}
- name: llm_requests_demand
  query: {{ $queries.llm_requests_demand | quote }}
  target: {{ int $v.inFlightPerReplica | quote }}
{{- else -}}
- name: llm_gpu_utilization
  query: {{ $queries.llm_gpu_utilization | quote }}
  target: {{ int $v.classic.gpuUtilization | quote }}
- name: llm_requests_per_second
  query: {{ $queries.llm_requests_per_second | quote }}
  target: {{ include "gpu-hpa.requestsPerSecond" . | quote }}
{{- end -}}
{{- end -}}

{{- /*
gpu-hpa.queries: the expressions behind the metrics, as a YAML map; one series per release.
A pod whose scrape fails keeps its last value, up to an hour and only while it is a target: else a broken scrape
would look like less load. Nothing at all gives no series, which is an error to both backends and moves nothing,
so there is no `or vector(0)` here.
*/ -}}
{{- define "gpu-hpa.queries" -}}
{{- $signals := include "llm-common.once" (list .root "llm-common.signals") | get .root.Values -}}
{{- $by := "sum by (namespace, release)" -}}
{{- $held := printf "%s (last_over_time(%%s{%s}[1h]) and on (namespace, pod) up{%s})" $by .matchers .matchers -}}
llm_requests_demand: {{ printf "%s + %s" (printf $held $signals.requestsRunning) (printf $held $signals.requestsWaiting) | quote }}
{{- /* The exporter knows no release; up does, and up ^ 0 is 1 for a target that answers and for one that does not. */}}
llm_gpu_utilization: {{ printf "%s (avg by (namespace, pod) (last_over_time(%s[1h])) * on (namespace, pod) group_right () max by (namespace, pod, release) (up{%s} ^ 0))" $by .root.Values.classic.gpuMetric .matchers | quote }}
llm_requests_per_second: {{ printf "%s (rate(%s{%s}[2m]))" $by $signals.requestsFinished .matchers | quote }}
{{- end -}}

{{- /* gpu-hpa.requestsPerSecond: the value, or by Little's law what a server finishes that holds its requests for the promised time. */ -}}
{{- define "gpu-hpa.requestsPerSecond" -}}
{{- $v := .root.Values -}}
{{- $rate := $v.classic.requestsPerSecond -}}
{{- if kindIs "invalid" $rate -}}
{{- $rate = divf $v.inFlightPerReplica .llm.slo.e2eP95Seconds -}}
{{- end -}}
{{- max 1 (mulf $rate 1000 | ceil | int) -}}m
{{- end -}}

{{- /*
gpu-hpa.behavior: how fast, from the one measured time. Kubernetes' own amounts upwards, but per cold start instead of
per 15 s, since a server that is still loading takes no request off the queue. Downwards a tenth or one server per cold
start, and only below the most that was asked for in two of them: a server given back too early costs one.
*/ -}}
{{- define "gpu-hpa.behavior" -}}
{{- $cold := int .Values.coldStartSeconds -}}
{{- $down := kindIs "invalid" .Values.scaleDownWindowSeconds | ternary (max 300 (mul 2 $cold)) .Values.scaleDownWindowSeconds -}}
{{- $exact := semverCompare ">=1.35.0-0" .Capabilities.KubeVersion.Version -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: {{ $cold }}}
    - {type: Pods, value: 4, periodSeconds: {{ $cold }}}
  {{- if $exact }}
  tolerance: "0"
  {{- end }}
scaleDown:
  stabilizationWindowSeconds: {{ int $down }}
  selectPolicy: Max
  policies:
    - {type: Percent, value: 10, periodSeconds: {{ $cold }}}
    - {type: Pods, value: 1, periodSeconds: {{ $cold }}}
  {{- /* Inside the tolerance an HPA keeps the count that it sees, and that may hold the extra pods of an update. */}}
  {{- if $exact }}
  tolerance: "0"
  {{- end }}
{{- end -}}

{{- define "gpu-hpa.target" -}}
apiVersion: {{ get (dict "Rollout" "argoproj.io/v1alpha1" "Deployment" "apps/v1" "LeaderWorkerSet" "leaderworkerset.x-k8s.io/v1") .Values.workload }}
kind: {{ .Values.workload }}
name: {{ include "llm-common.workloadName" . | quote }}
{{- end -}}
