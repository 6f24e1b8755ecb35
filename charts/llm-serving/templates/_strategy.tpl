{{- /* llm-serving.strategy (dict "root" $ "facts" $facts): `spec.strategy` of the workload. */ -}}
{{- define "llm-serving.strategy" -}}
{{- $plan := .facts.plan -}}
{{- $name := .root.Release.Name -}}
{{- if not $plan.type -}}
{{- if $plan.recreate -}}
type: Recreate
{{- else -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ int $plan.maxSurge }}
  maxUnavailable: {{ int $plan.maxUnavailable }}
{{- end -}}
{{- else if eq $plan.type "blueGreen" -}}
blueGreen:
  {{- include "llm-serving.blueGreen" . | nindent 2 }}
{{- else -}}
canary:
  {{- if $plan.guarded }}
  {{- /* While a person thinks before the first step with servers, nothing has to have started. */}}
  {{- $first := -1 }}
  {{- range $index, $step := $plan.steps }}
  {{- if and (lt $first 0) (not (hasKey $step "pause")) }}
  {{- $first = $index }}
  {{- end }}
  {{- end }}
  analysis:
    {{- if gt $first 0 }}
    startingStep: {{ $first }}
    {{- end }}
    templates:
      - templateName: {{ printf "%s-started" $name | quote }}
    args:
      {{- include "llm-serving.hashArguments" . | nindent 6 }}
  {{- end }}
  {{- if $plan.routed }}
  stableService: {{ $name | quote }}
  canaryService: {{ printf "%s-canary" $name | quote }}
  {{- if $plan.dynamic }}
  dynamicStableScale: true
  {{- else }}
  scaleDownDelaySeconds: {{ int $plan.warmSeconds }}
  {{- /* One old version at most is kept warm, whatever comes after it. */}}
  scaleDownDelayRevisionLimit: 1
  {{- end }}
  trafficRouting:
    {{- include "llm-serving.router" .root | nindent 4 }}
  {{- else }}
  maxSurge: {{ int $plan.maxSurge }}
  maxUnavailable: {{ int $plan.maxUnavailable }}
  {{- end }}
  steps:
    {{- toYaml $plan.steps | nindent 4 }}
{{- end -}}
{{- end -}}

{{- /* llm-serving.router: what the controller writes its weights into. */ -}}
{{- define "llm-serving.router" -}}
{{- $name := .Release.Name | quote -}}
{{- if eq .Values.trafficRouter "traefik" -}}
traefik:
  weightedTraefikServiceName: {{ $name }}
{{- else if eq .Values.trafficRouter "istio" -}}
istio:
  virtualService:
    name: {{ $name }}
    routes: [primary]
{{- else -}}
plugins:
  argoproj-labs/gatewayAPI:
    httpRoute: {{ $name }}
    namespace: {{ .Release.Namespace | quote }}
{{- end -}}
{{- end -}}

{{- /* llm-serving.blueGreen (as strategy): all servers of the new version are tested without traffic, then the Service turns. */ -}}
{{- define "llm-serving.blueGreen" -}}
{{- $plan := .facts.plan -}}
{{- $strategy := .root.Values.strategy -}}
{{- $name := .root.Release.Name -}}
{{- $tests := concat ($plan.smoke | ternary (list "smoke") list) ($plan.quality | ternary (list "quality") list) -}}
activeService: {{ $name | quote }}
previewService: {{ printf "%s-preview" $name | quote }}
{{- with $strategy.previewReplicas }}
previewReplicaCount: {{ int . }}
{{- end }}
autoPromotionEnabled: {{ empty $strategy.approval }}
{{- if $tests }}
prePromotionAnalysis:
  {{- include "llm-serving.testStep" (dict "name" $name "tests" $tests) | nindent 2 }}
{{- end }}
{{- if $plan.gated }}
{{- /* There is no control arm: the promise alone is judged. */}}
postPromotionAnalysis:
  {{- include "llm-serving.gateStep" (dict "name" $name "step" 0 "mode" "absolute") | nindent 2 }}
{{- end }}
scaleDownDelaySeconds: {{ int $plan.warmSeconds }}
scaleDownDelayRevisionLimit: 1
{{- /* Time for every gateway to send elsewhere before the pods of a stopped version go. */}}
abortScaleDownDelaySeconds: {{ max 30 (add 15 (int .root.Values.lifecycle.preStopSeconds)) }}
{{- end -}}
