{{- /* llm-serving.virtualService: only /v1/ is routed: the engine's key does not guard /invocations, /pause, /update_weights and others. */ -}}
{{- define "llm-serving.virtualService" -}}
{{- if eq .Values.trafficRouter "istio" }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $routing := include "llm-common.once" (list . "llm-serving.routing") | get .Values }}
{{- $name := .Release.Name }}
{{- $canary := printf "%s-canary" $name }}
{{- $port := int .Values.service.port }}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {{ $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.stableLabels" (dict "root" . "component" "engine") | nindent 4 }}
spec:
  hosts: [{{ $context.facts.host | quote }}]
  gateways:
    {{- toYaml .Values.route.istio.gateways | nindent 4 }}
  http:
    {{- if $routing.marked }}
    - name: marked
      match:
        - uri: {prefix: /v1/}
          headers:
            {{- if eq $routing.marked "cookie" }}
            cookie: {regex: {{ $routing.pattern | quote }}}
            {{- else }}
            {{ lower $routing.name | quote }}: {exact: {{ $routing.value | quote }}}
            {{- end }}
      route:
        - destination: {host: {{ $canary | quote }}, port: {number: {{ $port }}}}
      {{- include "llm-serving.istioLimits" $routing | nindent 6 }}
    {{- end }}
    {{- /* The controller finds the route by this name. */}}
    - name: primary
      match:
        - uri: {prefix: /v1/}
      route:
        {{- if $routing.weighted }}
        {{- /* Istio refuses several destinations without weights; the controller writes its own over them. */}}
        - destination: {host: {{ $name | quote }}, port: {number: {{ $port }}}}
          weight: 100
        - destination: {host: {{ $canary | quote }}, port: {number: {{ $port }}}}
          weight: 0
        {{- else }}
        - destination: {host: {{ $name | quote }}, port: {number: {{ $port }}}}
        {{- end }}
      {{- if int $routing.mirrored }}
      mirror: {host: {{ $canary | quote }}, port: {number: {{ $port }}}}
      mirrorPercentage: {value: {{ int $routing.mirrored }}}
      {{- end }}
      {{- include "llm-serving.istioLimits" $routing | nindent 6 }}
{{- end }}
{{- end -}}
