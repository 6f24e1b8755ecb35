{{- /* llm-serving.validateQuality: refusals that are about the quality gate. */ -}}
{{- define "llm-serving.validateQuality" -}}
{{- if .Values.quality.enabled -}}
{{- $v := .Values -}}
{{- if lt (len (include "llm-common.once" (list . "llm-serving.routing") | get .Values).services) 2 -}}
{{- if eq $v.workload "Deployment" -}}
{{- include "llm-common.refuse" (list $ "quality.enabled" "is true, but a Deployment has no canary to compare with stable" "write `workload: Rollout`, or quality: {enabled: false}") -}}
{{- end -}}
{{- include "llm-common.refuse" (list $ "quality.enabled" "is true, but without a router the canary has no Service of its own to ask" "write `trafficRouter: traefik`, gatewayAPI or istio, or strategy: {type: blueGreen}") -}}
{{- end -}}
{{- if not (include "llm-serving.gateUrl" (include "llm-common.once" (list . "llm-common.llm") | get .Values)) -}}
{{- include "llm-common.refuse" (list $ "quality.enabled" "is true, but nobody judges the result" "write global: {llm: {environment: {gate: {url: \"http://llm-canary-gate.monitoring:8080\"}}}}, the Service of the chart canary-gate") -}}
{{- end -}}
{{- if not $v.quality.goldenSet.configMap -}}
{{- include "llm-common.refuse" (list $ "quality.enabled" "is true, but no golden set is named" "write `quality: {goldenSet: {configMap: NAME}}`") -}}
{{- end -}}
{{- end -}}
{{- end -}}
