{{- /* llm-serving.validatePool: refusals that are about InferencePools. */ -}}
{{- define "llm-serving.validatePool" -}}
{{- $v := .Values -}}
{{- if $v.route.inferencePool.picker -}}
{{- if ne $v.trafficRouter "gatewayAPI" -}}
{{- include "llm-common.refuse" (list $ "route.inferencePool" (printf "is for a gateway of the Gateway API, and `trafficRouter` is %s" $v.trafficRouter) "write `trafficRouter: gatewayAPI`") -}}
{{- end -}}
{{- if eq $v.workload "Rollout" -}}
{{- include "llm-common.refuse" (list $ "route.inferencePool" "and a Rollout exclude each other, since a pool cannot follow the hash that tells versions apart" "write `workload: Deployment`; its canary is two releases and weights in a route of your own") -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.allowFrom) -}}
{{- include "llm-common.refuse" (list $ "route.inferencePool" "has a picker, which reads the metrics of each server and is not let in" "write `networkPolicy: {allowFrom: [{podSelector: {matchLabels: {NAME: VALUE}}}]}` with its labels") -}}
{{- end -}}
{{- end -}}
{{- end -}}
