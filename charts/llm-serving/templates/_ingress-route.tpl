{{- /* llm-serving.ingressRoute: only /v1/ is routed: the engine's key does not guard /invocations, /pause, /update_weights and others. */ -}}
{{- define "llm-serving.ingressRoute" -}}
{{- if eq .Values.trafficRouter "traefik" }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $routing := include "llm-common.once" (list . "llm-serving.routing") | get .Values }}
{{- $labelArgs := dict "root" . "component" "engine" "llm" $context.llm }}
{{- $name := .Release.Name }}
{{- $port := int .Values.service.port }}
{{- $match := printf "Host(`%s`) && PathPrefix(`/v1/`)" $context.facts.host }}
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: {{ $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" $labelArgs | nindent 4 }}
spec:
  entryPoints:
    {{- toYaml .Values.route.entryPoints | nindent 4 }}
  routes:
    {{- /* Without a priority the longer rule wins, which is the marked one. */}}
    {{- if $routing.marked }}
    {{- $mark := printf "Header(`%s`, `%s`)" $routing.name $routing.value }}
    {{- if eq $routing.marked "cookie" }}
    {{- $mark = printf "HeaderRegexp(`Cookie`, `%s`)" $routing.pattern }}
    {{- end }}
    - kind: Rule
      match: {{ printf "%s && %s" $match $mark | quote }}
      services:
        - {kind: Service, name: {{ printf "%s-canary" $name | quote }}, port: {{ $port }}}
    {{- end }}
    - kind: Rule
      match: {{ $match | quote }}
      services:
        {{- if int $routing.mirrored }}
        - {kind: TraefikService, name: {{ printf "%s-shadow" $name | quote }}}
        {{- else if $routing.weighted }}
        - {kind: TraefikService, name: {{ $name | quote }}}
        {{- else }}
        - {kind: Service, name: {{ $name | quote }}, port: {{ $port }}}
        {{- end }}
  {{- if .Values.route.tls }}
  {{- with .Values.route.tlsSecret }}
  tls:
    secretName: {{ . | quote }}
  {{- else }}
  tls: {}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
