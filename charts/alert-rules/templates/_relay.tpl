{{- /* What stands between Alertmanager and robots: which receivers go through it, and its description as llm-common.program takes it. */ -}}

{{- /* alert-rules.relay: its description. */ -}}
{{- define "alert-rules.relay" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $robots := include "alert-rules.allRobots" . | fromYamlArray -}}
{{- $relay := .Values.relay -}}
name: {{ $relay.name | quote }}
component: relay
container: relay
image: {{ include "llm-common.image" (list $relay.image $llm.environment.registry ($.Chart.AppVersion | default $.Chart.Version)) | quote }}
portName: http
port: {{ int $relay.port }}
module: llmops.services.relay
args:
  - --port={{ int $relay.port }}
  - --folder=/journal
  {{- if gt (int $relay.replicas) 1 }}
  - --lease={{ $relay.name }}
  {{- end }}
  {{- range $robots }}
  - {{ printf "--receiver=%s" (toRawJson .) | quote }}
  {{- end }}
env:
  {{- with include "llm-common.proxyVariables" (dict "llm" $llm "direct" list) }}
  {{- . | trim | nindent 2 }}
  {{- else }} []
  {{- end }}
livenessSeconds: 10
{{- if gt (int $relay.replicas) 1 }}
replicas: {{ int $relay.replicas }}
readyPath: /readyz
serviceAccount: {{ $relay.name | quote }}
{{- end }}
ephemeralMiB: 64
volume: {name: journal, path: /journal, claim: {{ $relay.existingClaim | quote }}, size: 512Mi}
files:
  {{- $files := dict }}
  {{- range $.Values.receivers }}
  {{- range list .dingtalk .wecomRobot .feishu .teams }}
  {{- range list (. | default dict).urlSecret (. | default dict).signSecret }}
  {{- if . }}
  {{- $_ := set $files .name (append (get $files .name | default list) .key | uniq | sortAlpha) }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- range $name, $keys := $files }}
  - secret:
      name: {{ $name | quote }}
      items:
        {{- range $keys }}
        - {key: {{ . | quote }}, path: {{ printf "%s/%s" $name . | quote }}}
        {{- end }}
  {{- end }}
ingress:
  {{- range prepend $relay.senders $llm.environment.monitoring.namespace | uniq }}
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ . | quote }}
  {{- end }}
egress:
  {{- include "llm-common.dnsRule" (dict "llm" $llm) | nindent 2 }}
  {{- with $llm.environment.proxy.url }}
  {{- include "llm-common.proxyRule" (dict "llm" $llm "url" .) | nindent 2 }}
  {{- end }}
  - ports:
      {{- range $relay.networkPolicy.robotPorts }}
      - {port: {{ int . }}, protocol: TCP}
      {{- end }}
  {{- if gt (int $relay.replicas) 1 }}
  {{- /* The API server, whose address no chart knows: it has the Lease. */}}
  - ports:
      {{- range $relay.networkPolicy.apiServerPorts }}
      - {port: {{ int . }}, protocol: TCP}
      {{- end }}
    to:
      {{- range $relay.networkPolicy.apiServerCidrs }}
      - ipBlock: {cidr: {{ . | quote }}}
      {{- end }}
  {{- end }}
{{- end -}}

{{- /* alert-rules.relayShared: "yes" where several replicas share a Lease, so that they need an account. */ -}}
{{- define "alert-rules.relayShared" -}}
{{- and (gt (int .Values.relay.replicas) 1) (not (empty (include "alert-rules.allRobots" . | fromYamlArray))) | ternary "yes" "" -}}
{{- end -}}

{{- /* alert-rules.relayMetadata: of the objects of that account. */ -}}
{{- define "alert-rules.relayMetadata" -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- include "llm-common.programMetadata" (dict "root" . "name" .Values.relay.name "labels" (dict "root" . "component" "relay" "llm" $llm)) -}}
{{- end -}}

{{- /* alert-rules.relayObject (list KIND $): the object of that kind, nothing without a robot. image, resources and the like stand under `relay`. */ -}}
{{- define "alert-rules.relayObject" -}}
{{- $root := index . 1 -}}
{{- if include "alert-rules.allRobots" $root | fromYamlArray -}}
{{- $llm := include "llm-common.once" (list $root "llm-common.llm") | get $root.Values -}}
{{- $program := include "llm-common.once" (list $root "alert-rules.relay") | get $root.Values -}}
{{- $own := dict "Values" $root.Values.relay "Chart" $root.Chart "Release" $root.Release -}}
{{- include "llm-common.program" (list (index . 0) $own $program $llm) -}}
{{- end -}}
{{- end -}}
