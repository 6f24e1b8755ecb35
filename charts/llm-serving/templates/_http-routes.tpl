{{- /* llm-serving.httpRoutes: only /v1/ is routed: the engine's key does not guard /invocations, /pause, /update_weights and others. */ -}}
{{- define "llm-serving.httpRoutes" -}}
{{- if eq .Values.trafficRouter "gatewayAPI" }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $routing := include "llm-common.once" (list . "llm-serving.routing") | get .Values }}
{{- $labelArgs := dict "root" . "component" "engine" "llm" $context.llm }}
{{- $name := .Release.Name }}
{{- $port := int .Values.service.port }}
{{- $gateway := .Values.route.gateway }}
{{- $timeouts := printf "{request: %ds, backendRequest: %ds}" (int $routing.timeoutSeconds) (int $routing.timeoutSeconds) }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.stableLabels" $labelArgs | nindent 4 }}
spec:
  {{- include "llm-serving.parents" . | nindent 2 }}
  hostnames: [{{ $context.facts.host | quote }}]
  rules:
    - matches:
        - path: {type: PathPrefix, value: /v1/}
      {{- if int $routing.mirrored }}
      filters:
        - type: RequestMirror
          requestMirror:
            backendRef: {name: {{ printf "%s-canary" $name | quote }}, port: {{ $port }}}
            percent: {{ int $routing.mirrored }}
      {{- end }}
      backendRefs:
        {{- if $routing.weighted }}
        {{- /* The controller's plugin writes the weights. Without these, a list that Helm writes anew would mean half and half. */}}
        - {name: {{ $name | quote }}, port: {{ $port }}, weight: 100}
        - {name: {{ printf "%s-canary" $name | quote }}, port: {{ $port }}, weight: 0}
        {{- else if .Values.route.inferencePool.picker }}
        - {group: inference.networking.k8s.io, kind: InferencePool, name: {{ $name | quote }}}
        {{- else }}
        - {name: {{ $name | quote }}, port: {{ $port }}}
        {{- end }}
      timeouts: {{ $timeouts }}
{{- if $routing.marked }}
---
{{- /* A route of its own: in the other the plugin would write its weight into this backend too, 0 between updates. The gateway
puts both together, and the rule with a header comes before the one without. */}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ printf "%s-ab" $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" $labelArgs | nindent 4 }}
spec:
  {{- include "llm-serving.parents" . | nindent 2 }}
  hostnames: [{{ $context.facts.host | quote }}]
  rules:
    - matches:
        - path: {type: PathPrefix, value: /v1/}
          headers:
            {{- if eq $routing.marked "cookie" }}
            {{- /* Which expressions a gateway knows is its own matter; this one is plain RE2. */}}
            - {type: RegularExpression, name: Cookie, value: {{ $routing.pattern | quote }}}
            {{- else }}
            - {type: Exact, name: {{ $routing.name | quote }}, value: {{ $routing.value | quote }}}
            {{- end }}
      backendRefs:
        - {name: {{ printf "%s-canary" $name | quote }}, port: {{ $port }}}
      timeouts: {{ $timeouts }}
{{- end }}
{{- end }}
{{- end -}}
