{{- /* llm-serving.networkPolicy: who may reach the servers, and whom they may reach. */ -}}
{{- define "llm-serving.networkPolicy" -}}
{{- if .Values.networkPolicy.enabled }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $llm := $context.llm }}
{{- $facts := $context.facts }}
{{- $egress := include "llm-serving.egress" (dict "root" . "context" $context) | trim }}
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
  {{- if $egress }}
  egress:
    {{- include "llm-common.dnsRule" (dict "llm" $llm) | nindent 4 }}
    {{- $egress | nindent 4 }}
  {{- else }}
  egress: []
  {{- end }}
{{- end }}
{{- end -}}

{{- /*
llm-serving.egress (dict "root" $ "context" $context): whom the servers may reach beside the DNS, as a YAML list; empty where they ask nobody. A
model comes from a hub, through the proxy where there is one, or from a store, whose client may not know proxies.
*/ -}}
{{- define "llm-serving.egress" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- with .root -}}
{{- $proxy := include "llm-serving.proxy" (dict "root" . "llm" $llm) | fromYaml -}}
{{- $urls := list -}}
{{- if eq $facts.scheme "s3" -}}
{{- $urls = list (.Values.objectStore.endpoint | default "https://s3.amazonaws.com") -}}
{{- else if $facts.remote -}}
{{- $hub := $llm.environment.hubEndpoint | default "https://huggingface.co" -}}
{{- if or (not $proxy.url) (include "llm-common.direct" (dict "url" $hub "noProxy" $proxy.noProxy)) -}}
{{- $urls = list $hub -}}
{{- end -}}
{{- end -}}
{{- with .Values.engine.tracing.endpoint -}}
{{- $urls = append $urls . -}}
{{- end -}}
{{- range $urls }}
{{ include "llm-common.egressRule" (dict "llm" $llm "url" .) }}
{{- end }}
{{- if and $facts.remote $proxy.url }}
{{ include "llm-common.proxyRule" (dict "llm" $llm "url" $proxy.url) }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* llm-serving.jobNetworkPolicy: the pods of tests and gates ask the servers, tell the gate, and speak to nobody else. */ -}}
{{- define "llm-serving.jobNetworkPolicy" -}}
{{- if .Values.networkPolicy.enabled }}
{{- $context := include "llm-serving.context" . | get .Values }}
{{- $llm := $context.llm }}
{{- $facts := $context.facts }}
{{- $labelArgs := dict "root" . "component" "job" "llm" $llm }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ printf "%s-jobs" .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" $labelArgs | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- omit (include "llm-common.selectorLabels" $labelArgs | fromYaml) "app.kubernetes.io/component" | toYaml | nindent 6 }}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: [job, test]}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    {{- include "llm-common.dnsRule" (dict "llm" $llm) | nindent 4 }}
    - ports:
        - {port: http, protocol: TCP}
        {{- if $facts.split }}
        - {port: {{ int $facts.port }}, protocol: TCP}
        {{- end }}
      to:
        - podSelector:
            {{- include "llm-serving.podsOfServers" (dict "root" . "facts" $facts) | nindent 12 }}
    {{- with include "llm-serving.gateUrl" $llm }}
    {{- include "llm-common.egressRule" (dict "llm" $llm "url" .) | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}
