{{- /* llm-serving.traefikServices: what an IngressRoute gives its requests to: the split by weight, and in front of it the copies of a shadow. */ -}}
{{- define "llm-serving.traefikServices" -}}
{{- if eq .Values.trafficRouter "traefik" }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $routing := include "llm-common.once" (list . "llm-serving.routing") | get .Values }}
{{- $labelArgs := dict "root" . "component" "engine" "llm" $context.llm }}
{{- $name := .Release.Name }}
{{- $port := int .Values.service.port }}
{{- if $routing.weighted }}
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata:
  name: {{ $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.stableLabels" $labelArgs | nindent 4 }}
spec:
  weighted:
    {{- /* No weights: the Rollouts controller owns them. */}}
    services:
      - {name: {{ $name | quote }}, port: {{ $port }}}
      - {name: {{ printf "%s-canary" $name | quote }}, port: {{ $port }}}
    {{- /* A version with weight 0 loses its clients too, so an abort is not held up. */}}
    {{- with .Values.route.sticky.cookie }}
    sticky:
      cookie: {name: {{ . | quote }}, httpOnly: true, secure: {{ $.Values.route.tls }}, sameSite: lax}
    {{- end }}
{{- end }}
{{- if int $routing.mirrored }}
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata:
  name: {{ printf "%s-shadow" $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.stableLabels" $labelArgs | nindent 4 }}
spec:
  mirroring:
    kind: TraefikService
    name: {{ $name | quote }}
    {{- /* Traefik holds the body in memory until the copy is sent; what is larger is answered and not copied. */}}
    maxBodySize: {{ mul (int .Values.route.mirrorBodyMiB) 1048576 }}
    mirrors:
      - {name: {{ printf "%s-canary" $name | quote }}, port: {{ $port }}, percent: {{ int $routing.mirrored }}}
{{- end }}
{{- end }}
{{- end -}}
