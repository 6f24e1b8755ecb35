{{- /*
llm-serving.routing: who gets which request, as YAML, the same for every router: `type` of the strategy ("" for a Deployment),
`weighted` (a router splits requests between stable and canary by weight), `services` (names of the release's Services, the first is
stable or active), `marked` ("", header or cookie: which requests an A/B test sends to the canary) with `name`, `value` and `pattern`
(regular expression over the whole Cookie header), `mirrored` (percent of requests that the canary gets a copy of, 0 = none) and
`timeoutSeconds` (a route never ends a stream that the engine would still finish).
*/ -}}
{{- define "llm-serving.routing" -}}
{{- $name := .Release.Name -}}
{{- $strategy := .Values.strategy -}}
{{- $type := eq .Values.workload "Rollout" | ternary ($strategy.type | default "canary") "" -}}
{{- $routed := ne .Values.trafficRouter "none" -}}
{{- $weighted := and $routed (has $type (list "canary" "ab" "shadow")) -}}
{{- $services := list $name -}}
{{- if $weighted -}}
{{- $services = append $services (printf "%s-canary" $name) -}}
{{- else if eq $type "blueGreen" -}}
{{- $services = append $services (printf "%s-preview" $name) -}}
{{- end -}}
{{- $marked := "" -}}
{{- $mark := dict "name" "" "value" "" -}}
{{- if and $weighted (eq $type "ab") -}}
{{- $marked = empty (($strategy.ab).header).name | ternary "cookie" "header" -}}
{{- $mark = get ($strategy.ab | default dict) $marked | default $mark -}}
{{- end -}}
{{- $mirrored := 0 -}}
{{- if and $weighted (eq $type "shadow") -}}
{{- $mirrored = ($strategy.shadow).percent | default 0 -}}
{{- end -}}
type: {{ $type | quote }}
weighted: {{ $weighted }}
services: {{ $services | toJson }}
marked: {{ $marked | quote }}
name: {{ $mark.name | quote }}
value: {{ $mark.value | quote }}
{{- /* One header holds all cookies. Anchored at both ends: some gateways match a part of the value, some all of it. */}}
pattern: {{ printf "^(.*; ?)?%s=%s(;.*)?$" (regexQuoteMeta (toString $mark.name)) (regexQuoteMeta (toString $mark.value)) | quote }}
mirrored: {{ int $mirrored }}
{{- /* The engine's own wait in the queue comes on top of the longest stream. */}}
timeoutSeconds: {{ add (mul 2 (int .Values.lifecycle.longestStreamSeconds)) 30 }}
{{- end -}}

{{- /* llm-serving.parents: the Gateway that an HTTPRoute joins. */ -}}
{{- define "llm-serving.parents" -}}
{{- $gateway := .Values.route.gateway -}}
parentRefs:
  - name: {{ $gateway.name | quote }}
    {{- with $gateway.namespace }}
    namespace: {{ . | quote }}
    {{- end }}
    {{- with $gateway.sectionName }}
    sectionName: {{ . | quote }}
    {{- end }}
{{- end -}}

{{- /* llm-serving.istioLimits: takes the routing. Sent again is only a request that no engine has taken. What Istio does
otherwise depends on its version, and some send one again that was answered with 503: twice the tokens, and a canary whose errors
nobody sees. */ -}}
{{- define "llm-serving.istioLimits" -}}
timeout: {{ int .timeoutSeconds }}s
retries: {attempts: 2, retryOn: "connect-failure,refused-stream"}
{{- end -}}
