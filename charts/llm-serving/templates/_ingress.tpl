{{- /* llm-serving.ingress: without a router that splits requests an Ingress is enough: all of them go to the one Service. Only /v1/, as in the other routes. */ -}}
{{- define "llm-serving.ingress" -}}
{{- $ingress := merge (dict) .Values.route.ingress (dict "controller" "") }}
{{- if $ingress.className }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $routing := include "llm-common.once" (list . "llm-serving.routing") | get .Values }}
{{- $seconds := int $routing.timeoutSeconds }}
{{- $timeoutAnnotations := dict }}
{{- if eq $ingress.controller "nginx" }}
{{- $timeoutAnnotations = dict "proxy-read-timeout" $seconds "proxy-send-timeout" $seconds "proxy-buffering" "off" "proxy-body-size" (printf "%dm" (int ($ingress.maxBodyMiB | default 10))) }}
{{- /* Another server gets the request only when the first was not reached: else it would be answered twice. */}}
{{- $timeoutAnnotations = set $timeoutAnnotations "proxy-next-upstream" "error" }}
{{- else if eq $ingress.controller "haproxy" }}
{{- $timeoutAnnotations = dict "timeout-server" (printf "%ds" $seconds) "timeout-tunnel" (printf "%ds" $seconds) }}
{{- end }}
{{- $prefix := eq $ingress.controller "nginx" | ternary "nginx.ingress.kubernetes.io" "haproxy.org" }}
{{- $annotations := dict }}
{{- range $key, $value := $timeoutAnnotations }}
{{- $_ := set $annotations (printf "%s/%s" $prefix $key) (toString $value) }}
{{- end }}
{{- $annotations = mergeOverwrite $annotations (deepCopy ($ingress.annotations | default dict)) }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $context.llm) | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  ingressClassName: {{ $ingress.className | quote }}
  {{- if .Values.route.tls }}
  tls:
    - hosts: [{{ $context.facts.host | quote }}]
      {{- with .Values.route.tlsSecret }}
      secretName: {{ . | quote }}
      {{- end }}
  {{- end }}
  rules:
    - host: {{ $context.facts.host | quote }}
      http:
        paths:
          - path: /v1/
            pathType: Prefix
            backend:
              service:
                name: {{ .Release.Name | quote }}
                port: {name: http}
{{- end }}
{{- end -}}
