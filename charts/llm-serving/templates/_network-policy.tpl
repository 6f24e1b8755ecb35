{{- /* llm-serving.networkPolicy: who may reach the servers, and whom they may reach. */ -}}
{{- define "llm-serving.networkPolicy" -}}
{{- if .Values.networkPolicy.enabled }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $llm := $context.llm }}
{{- $facts := $context.facts }}
{{- $hubPort := 443 }}
{{- $store := eq $facts.scheme "s3" }}
{{- with $store | ternary .Values.objectStore.endpoint $llm.environment.hubEndpoint }}
{{- $hubPort = hasPrefix "http://" . | ternary 80 443 }}
{{- with regexFind ":[0-9]+" (trimPrefix "http:" (trimPrefix "https:" .)) }}
{{- $hubPort = trimPrefix ":" . | int }}
{{- end }}
{{- end }}
{{- $traces := "" }}
{{- with .Values.engine.tracing.endpoint }}
{{- $traces = regexFind ":[0-9]+" (regexReplaceAll "^https?:" . "") | trimPrefix ":" | default (hasPrefix "https" . | ternary "443" "80") }}
{{- end }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $llm) | nindent 4 }}
spec:
  podSelector:
    {{- include "llm-serving.podsOfServers" (dict "root" . "facts" $facts) | nindent 4 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - {port: http, protocol: TCP}
        {{- if $facts.split }}
        - {port: {{ int $facts.port }}, protocol: TCP}
        {{- end }}
      from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ $llm.environment.gateway.namespace | quote }}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ $llm.environment.monitoring.namespace | quote }}
        - podSelector:
            matchLabels:
              app.kubernetes.io/instance: {{ .Release.Name | quote }}
            matchExpressions:
              - {key: app.kubernetes.io/component, operator: In, values: [job, test]}
        {{- with .Values.networkPolicy.allowFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- if or $facts.remote $traces .Values.networkPolicy.extraEgress }}
  egress:
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- if $facts.remote }}
    - ports:
        - {port: {{ $hubPort }}, protocol: TCP}
      {{- /* Everywhere but the cloud's metadata services and link-local addresses. */}}
      to:
        - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 100.100.100.200/32]}
        - ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::/32"]}
        {{- if and $store .Values.objectStore.endpoint }}
        {{- /* A store in the cluster: some network plugins never match pods by their addresses. */}}
        - namespaceSelector: {}
        {{- end }}
    {{- end }}
    {{- with $traces }}
    {{- /* A collector in the cluster; one elsewhere needs extraEgress. */}}
    - ports:
        - {port: {{ . }}, protocol: TCP}
      to:
        - namespaceSelector: {}
    {{- end }}
    {{- with .Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- else }}
  egress: []
  {{- end }}
{{- end }}
{{- end -}}
