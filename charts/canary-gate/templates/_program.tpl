{{- /* canary-gate.program: the description of the gate, as llm-common.program takes it. */ -}}
{{- define "canary-gate.program" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $monitoring := $llm.environment.monitoring -}}
{{- with .Values -}}
name: {{ .name | quote }}
component: gate
container: gate
image: {{ include "llm-common.image" (list .image $llm.environment.registry ($.Chart.AppVersion | default $.Chart.Version)) | quote }}
portName: http
port: {{ int .port }}
module: llmops.services.gate
args:
  - --prometheus={{ $monitoring.prometheusUrl }}
  - --timeout={{ int .prometheus.timeoutSeconds }}
  - --port={{ int .port }}
  - --folder=/rollouts
env:
  {{- /* As many threads as a node has cores would each take memory; its arrays are small. */}}
  - name: OPENBLAS_NUM_THREADS
    value: "1"
  {{- with include "llm-common.proxyVariables" (dict "llm" $llm "direct" (list (include "llm-common.clusterHost" $monitoring.prometheusUrl))) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  {{- with .prometheus.tokenSecret }}
  {{- if .name }}
  - name: PROMETHEUS_TOKEN
    valueFrom:
      secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}
  {{- end }}
  {{- end }}
livenessSeconds: 10
ephemeralMiB: 512
serviceAccount: {{ .name | quote }}
volume: {name: rollouts, path: /rollouts, claim: {{ .existingClaim | quote }}, size: 256Mi}
ingress:
  {{- range list .rollouts.namespace $monitoring.namespace | uniq }}
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ . | quote }}
  {{- end }}
  {{- /* Jobs of releases, in any namespace, post what they found. Labels are no proof: the gate asks for a token. */}}
  - namespaceSelector: {}
    podSelector:
      matchLabels:
        app.kubernetes.io/component: job
egress:
  {{- include "llm-common.dnsRule" (dict "llm" $llm) | nindent 2 }}
  - ports:
      - {port: {{ .networkPolicy.prometheusPort | default (include "llm-common.urlPort" $monitoring.prometheusUrl) | int }}, protocol: TCP}
    to:
      {{- include "llm-common.prometheusPeers" (dict "llm" $llm) | nindent 6 }}
  {{- with $llm.environment.proxy.url }}
  {{- include "llm-common.proxyRule" (dict "llm" $llm "url" .) | nindent 2 }}
  {{- end }}
  {{- /* The API server, whose address no chart knows. */}}
  - ports:
      {{- range .networkPolicy.apiServerPorts }}
      - {port: {{ int . }}, protocol: TCP}
      {{- end }}
    to:
      {{- range .networkPolicy.apiServerCidrs }}
      - ipBlock: {cidr: {{ . | quote }}}
      {{- end }}
  {{- with .networkPolicy.extraEgress }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- /* canary-gate.account: who the gate is to the API server. */ -}}
{{- define "canary-gate.account" -}}
- kind: ServiceAccount
  name: {{ .Values.name | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}

{{- /* canary-gate.clusterMetadata: of an object without a namespace; its name says which gate it is of. */ -}}
{{- define "canary-gate.clusterMetadata" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
name: {{ printf "%s.%s" .Values.name .Release.Namespace | quote }}
labels:
  {{- include "llm-common.labels" (dict "root" . "component" "gate" "llm" $llm) | nindent 2 }}
{{- end -}}
