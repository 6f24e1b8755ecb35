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

{{- /*
llm-serving.proxy (dict "root" $ "llm" $llm): the proxy of the environment, as YAML: `url`, empty for none, and `noProxy`. What `engine.extraEnv`
says of one counts too, for the download as for the engine: `variables`, with their `names`.
*/ -}}
{{- define "llm-serving.proxy" -}}
{{- $known := include "llm-common.proxyNames" . | fromYamlArray -}}
{{- $url := .llm.environment.proxy.url -}}
{{- $noProxy := .llm.environment.proxy.noProxy -}}
{{- $variables := list -}}
{{- $names := list -}}
{{- range .root.Values.engine.extraEnv -}}
{{- if has .name $known -}}
{{- $variables = append $variables . -}}
{{- $names = append $names .name -}}
{{- if eq (lower .name) "no_proxy" -}}
{{- $noProxy = concat $noProxy (splitList "," (.value | default "")) -}}
{{- else if and .value (or (not $url) (eq (upper .name) "HTTPS_PROXY")) -}}
{{- $url = .value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "url" $url "noProxy" $noProxy "variables" $variables "names" $names | toYaml -}}
{{- end -}}

{{- /* llm-serving.proxyVariables (dict "root" $ "llm" $llm): for a container that asks hub or store, what `extraEnv` does not set. */ -}}
{{- define "llm-serving.proxyVariables" -}}
{{- $proxy := include "llm-serving.proxy" . | fromYaml -}}
{{- $direct := list -}}
{{- range list .llm.environment.hubEndpoint .root.Values.objectStore.endpoint -}}
{{- if and . (not (contains "." (include "llm-common.host" .))) -}}
{{- $direct = append $direct (include "llm-common.host" .) -}}
{{- end -}}
{{- end -}}
{{- include "llm-common.proxyVariables" (dict "llm" .llm "direct" $direct "given" $proxy.names) -}}
{{- end -}}
