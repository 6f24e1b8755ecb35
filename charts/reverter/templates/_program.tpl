{{- /* reverter.program: the description of the program, as llm-common.program takes it. */ -}}
{{- define "reverter.program" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- with .Values -}}
name: {{ .name | quote }}
component: reverter
container: reverter
image: {{ include "llm-common.image" (list .image $llm.environment.registry ($.Chart.AppVersion | default $.Chart.Version)) | quote }}
portName: http
port: {{ int .port }}
module: llmops.services.reverter
args:
  - --repository={{ .git.url }}
  - --branch={{ .git.branch }}
  - --values={{ .git.values }}
  - --author={{ .git.author.name }}
  - --email={{ .git.author.email }}
  - --forge={{ .forge.kind }}
  {{- with .forge.url }}
  - --forge-url={{ . }}
  {{- end }}
  {{- if .push }}
  - --push
  {{- end }}
  - --every={{ int .everySeconds }}
  - --port={{ int .port }}
  - --folder=/repository/clone
env:
  {{- /* git writes nothing outside of its clone, and reads no settings of the image. */}}
  - name: HOME
    value: /repository
  - name: LLMOPS_FORGE_TOKEN
    valueFrom:
      secretKeyRef: {name: {{ .forge.tokenSecret.name | quote }}, key: {{ .forge.tokenSecret.key | quote }}}
  {{- with .webhook.urlSecret }}
  {{- if .name }}
  - name: LLMOPS_WEBHOOK_URL
    valueFrom:
      secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}
  {{- end }}
  {{- end }}
  {{- with include "llm-common.proxyVariables" (dict "llm" $llm "direct" list) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
livenessSeconds: 10
ephemeralMiB: 1024
serviceAccount: {{ .name | quote }}
volume: {name: work, path: /repository, claim: "", size: 1Gi}
ingress:
  {{- /* Nobody but itself: an empty list would be everybody. The kubelet's probes come in all the same. */}}
  - podSelector:
      matchLabels:
        app.kubernetes.io/component: reverter
egress:
  {{- include "llm-common.dnsRule" (dict "llm" $llm) | nindent 2 }}
  {{- with $llm.environment.proxy.url }}
  {{- include "llm-common.proxyRule" (dict "llm" $llm "url" .) | nindent 2 }}
  {{- end }}
  - ports:
      {{- range .networkPolicy.forgePorts }}
      - {port: {{ int . }}, protocol: TCP}
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
{{- end -}}
{{- end -}}

{{- /* reverter.clusterMetadata: of an object without a namespace; its name says which reverter it is of. */ -}}
{{- define "reverter.clusterMetadata" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
name: {{ printf "%s.%s" .Values.name .Release.Namespace | quote }}
labels:
  {{- include "llm-common.labels" (dict "root" . "component" "reverter" "llm" $llm) | nindent 2 }}
{{- end -}}
