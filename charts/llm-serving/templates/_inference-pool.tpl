{{- /* llm-serving.inferencePool: the servers as a pool: for each request the gateway asks an endpoint picker, which knows what each server has in its cache. */ -}}
{{- define "llm-serving.inferencePool" -}}
{{- with .Values.route.inferencePool }}
{{- if .picker }}
{{- $labelArgs := dict "root" $ "component" "engine" }}
{{- $facts := (include "llm-serving.context" $ | get $.Values).facts }}
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: {{ $.Release.Name | quote }}
  namespace: {{ $.Release.Namespace | quote }}
  labels:
    {{- include "llm-common.stableLabels" $labelArgs | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- if $facts.split }}
      {{- include "llm-serving.poolLabels" (dict "root" $) | nindent 6 }}
      {{- else }}
      {{- include "llm-common.selectorLabels" $labelArgs | nindent 6 }}
      {{- end }}
  targetPorts:
    - number: {{ int $facts.port }}
  endpointPickerRef:
    name: {{ .picker | quote }}
    port: {number: {{ int (.pickerPort | default 9002) }}}
    {{- /* Without an answer of the picker any server is better than none. */}}
    failureMode: {{ .failureMode | default "FailOpen" }}
{{- end }}
{{- end }}
{{- end -}}
