{{- /* llm-serving.resourceClaimTemplates: what a pod claims of a device class, one for each count of GPUs. */ -}}
{{- define "llm-serving.resourceClaimTemplates" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $facts := $context.facts -}}
{{- if $facts.claimTemplate }}
{{- $class := $context.llm.gpu.deviceClass }}
{{- $counts := list (int $facts.gpusPerPod) }}
{{- if $facts.split }}
{{- $counts = append $counts (int $facts.prefillGpus) | uniq }}
{{- end }}
{{- range $counts }}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: {{ include "llm-serving.claimName" (list $.Release.Name $class .) | quote }}
  namespace: {{ $.Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" $ "component" "engine" "llm" $context.llm) | nindent 4 }}
  annotations:
    {{- /* The old version may have to come back, and needs its template then. */}}
    helm.sh/resource-policy: keep
    argocd.argoproj.io/sync-options: Prune=false
spec:
  spec:
    devices:
      requests:
        - name: gpu
          exactly:
            deviceClassName: {{ $class | quote }}
            allocationMode: ExactCount
            count: {{ . }}
{{- end }}
{{- end }}
{{- end -}}
