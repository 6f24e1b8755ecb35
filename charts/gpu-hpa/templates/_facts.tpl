{{- /*
gpu-hpa.metrics: what the release is scaled on, as a YAML list of name, query and target. Every target is an average per
server of a total over the release, so a canary's extra pods do not change what is asked for.
Takes (dict "root" $ "llm" $llm "matchers" `release="x"`).
*/ -}}
{{- define "gpu-hpa.metrics" -}}
{{- $v := .root.Values -}}
{{- $queries := include "gpu-hpa.queries" . | fromYaml -}}
{{- range $name := get (include "gpu-hpa.presets" . | fromYaml) $v.preset }}
- name: {{ $name }}
  query: {{ get $queries $name | quote }}
  target: {{ include (printf "gpu-hpa.target.%s" $name) $ | quote }}
{{- end -}}
{{- end -}}

{{- /* gpu-hpa.presets: the metrics of each preset; the one that asks for most decides. */ -}}
{{- define "gpu-hpa.presets" -}}
demand: [llm_requests_demand]
slo: [llm_requests_demand_by_latency]
tokens: [llm_prompt_tokens_waiting, llm_requests_demand]
classic: [llm_gpu_utilization, llm_requests_per_second]
{{- end -}}

{{- define "gpu-hpa.target.llm_requests_demand" -}}{{ int .root.Values.inFlightPerReplica }}{{- end -}}
{{- define "gpu-hpa.target.llm_requests_demand_by_latency" -}}{{ int .root.Values.inFlightPerReplica }}{{- end -}}
{{- define "gpu-hpa.target.llm_gpu_utilization" -}}{{ int .root.Values.classic.gpuUtilization }}{{- end -}}
{{- define "gpu-hpa.target.llm_requests_per_second" -}}{{ include "gpu-hpa.requestsPerSecond" . }}{{- end -}}
{{- define "gpu-hpa.target.llm_prompt_tokens_waiting" -}}
{{- $v := .root.Values -}}
{{- $own := $v.tokens.waitingPerReplica -}}
{{- if kindIs "invalid" $own -}}
{{- $own = mulf 0.7 (float64 $v.capacity.promptTokensPerSecond) (float64 .llm.slo.ttftP95Seconds) | floor | int | max 1 -}}
{{- end -}}
{{- int $own -}}
{{- end -}}

{{- /*
gpu-hpa.queries: the expressions behind the metrics, as a YAML map; one series per release.
A pod whose scrape fails keeps its last value, up to an hour and only while it is a target: else a broken scrape
would look like less load. Nothing at all gives no series, which is an error to both backends and moves nothing,
so there is no `or vector(0)` here.
*/ -}}
{{- define "gpu-hpa.queries" -}}
{{- $v := .root.Values -}}
{{- $signals := include "llm-common.once" (list .root "llm-common.signals") | get $v -}}
{{- $by := "sum by (namespace, release)" -}}
{{- $held := printf "%s (last_over_time(%%s{%s}[1h]) and on (namespace, pod) up{%s})" $by .matchers .matchers -}}
{{- $waiting := printf $held $signals.requestsWaiting -}}
{{- $demand := printf "%s + %s" (printf $held $signals.requestsRunning) $waiting -}}
llm_requests_demand: {{ $demand | quote }}
{{- /* The larger of two shares of a promise; NaN, which is no request within two minutes, is no share and drops out at >= 0. */}}
{{- $share := printf "(histogram_quantile(0.95, sum by (namespace, release, le) (rate(%%s_bucket{%s}[2m]))) / %%s >= 0)" .matchers -}}
{{- $promised := "on (namespace, release) max by (namespace, release) (llm:slo:%s_p95_seconds{%s})" -}}
{{- $ttft := printf $share $signals.timeToFirstToken (ternary .llm.slo.ttftP95Seconds (printf $promised "ttft" .matchers) (hasKey . "inline") | toString) -}}
{{- $itl := printf $share $signals.interTokenLatency (ternary .llm.slo.itlP95Seconds (printf $promised "itl" .matchers) (hasKey . "inline") | toString) }}
llm_requests_demand_by_latency: {{ printf "(%s) * clamp(((%s > %s) or %s or %s) / %v, 0.5, 2) or (%s)" $demand $ttft $itl $itl $ttft $v.slo.headroom $demand | quote }}
{{- /* By the mean prompt of the last hour; where no request has ended in it each counts as one token. */}}
{{- $ended := printf "(%s (rate(%s_count{%s}[1h])) > 0)" $by $signals.promptLength .matchers }}
llm_prompt_tokens_waiting: {{ printf "(%s) * (%s (rate(%s_sum{%s}[1h])) / %s or (%s) ^ 0)" $waiting $by $signals.promptLength .matchers $ended $waiting | quote }}
{{- /* The exporter knows no release; up does, and up ^ 0 is 1 for a target that answers and for one that does not. */}}
llm_gpu_utilization: {{ printf "%s (avg by (namespace, pod) (last_over_time(%s[1h])) * on (namespace, pod) group_right () max by (namespace, pod, release) (up{%s} ^ 0))" $by $v.classic.gpuMetric .matchers | quote }}
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
{{- $down := kindIs "invalid" .Values.scaleDownWindowSeconds | ternary (include "gpu-hpa.patience" .) .Values.scaleDownWindowSeconds -}}
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

{{- /* gpu-hpa.patience: seconds of less load before a server goes: two cold starts, since one given back too early costs one. */ -}}
{{- define "gpu-hpa.patience" -}}{{ max 300 (mul 2 (int .Values.coldStartSeconds)) }}{{- end -}}

{{- define "gpu-hpa.target" -}}
apiVersion: {{ get (dict "Rollout" "argoproj.io/v1alpha1" "Deployment" "apps/v1" "LeaderWorkerSet" "leaderworkerset.x-k8s.io/v1") .Values.workload }}
kind: {{ .Values.workload }}
name: {{ include "llm-common.workloadName" . | quote }}
{{- end -}}
