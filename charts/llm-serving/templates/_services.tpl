{{- /* llm-serving.services: with a router those of stable and canary, blue-green active and preview. The controller adds the pod-template-hash to both
selectors, so nothing here changes with the chart's version. A canary without a router has a single Service over all pods, so that
it gets its share by number of pods; were that one named as stableService, the controller would take the canary's pods out of it. */ -}}
{{- define "llm-serving.services" -}}
{{- $labelArgs := dict "root" . "component" "engine" -}}
{{- /* In front of a decode engine stands the sidecar; by its number, since not every Kubernetes finds the name of a sidecar's port. */ -}}
{{- $facts := (include "llm-serving.context" . | get .Values).facts -}}
{{- $target := $facts.split | ternary (int $facts.port | toString) "http" -}}
{{- range (include "llm-common.once" (list . "llm-serving.routing") | get .Values).services }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ . | quote }}
  namespace: {{ $.Release.Namespace | quote }}
  labels:
    {{- include "llm-common.stableLabels" $labelArgs | nindent 4 }}
  {{- with $.Values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  selector:
    {{- include "llm-common.selectorLabels" $labelArgs | nindent 4 }}
  ports:
    - name: http
      port: {{ int $.Values.service.port }}
      targetPort: {{ $target }}
      protocol: TCP
{{- end }}
{{- end -}}
