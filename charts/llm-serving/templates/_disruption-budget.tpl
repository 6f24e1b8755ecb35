{{- /* llm-serving.disruptionBudget: how many servers a node drain may take away. */ -}}
{{- define "llm-serving.disruptionBudget" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $llm := $context.llm -}}
{{- $facts := $context.facts -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $llm) | nindent 4 }}
spec:
  {{- /* Pods are counted. The first that goes takes its whole server along, so that many are away before the next one may go. */}}
  maxUnavailable: {{ add 1 (mul (int $facts.nodes) (sub (int .Values.podDisruptionBudget.maxUnavailable) 1)) }}
  {{- /* An engine that never becomes ready must not block the drain of its node. */}}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    {{- if $facts.split }}
    matchLabels:
      {{- include "llm-common.selectorLabels" (dict "root" . "component" "engine") | nindent 6 }}
    {{- else }}
    {{- include "llm-serving.podsOfServers" (dict "root" . "facts" $facts) | nindent 4 }}
    {{- end }}
{{- end -}}
