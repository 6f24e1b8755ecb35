{{- /* vllm-inference.resources: /dev/shm is memory of the pod, so the limit holds both. */ -}}
{{- define "vllm-inference.resources" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- with .root -}}
{{- $memory := printf "%dGi" (add (int .Values.resources.memoryGiB) (int .Values.resources.shmGiB)) -}}
{{- $disk := printf "%dGi" (add 4 (empty .Values.cache.existingClaim | ternary (int .Values.cache.sizeGiB) 0)) -}}
requests:
  cpu: {{ .Values.resources.cpu | toString | quote }}
  memory: {{ $memory }}
  ephemeral-storage: {{ $disk }}
  {{ $llm.gpu.resource }}: {{ int $facts.gpusPerReplica | quote }}
limits:
  memory: {{ $memory }}
  ephemeral-storage: {{ $disk }}
  {{ $llm.gpu.resource }}: {{ int $facts.gpusPerReplica | quote }}
{{- end -}}
{{- end -}}

{{- /* vllm-inference.placement: on nodes with the GPU that the release was sized for, spread where possible. */ -}}
{{- define "vllm-inference.placement" -}}
{{- $llm := .context.llm -}}
{{- with .root -}}
{{- $root := . -}}
{{- with .Values.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $llm.gpu.product }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: nvidia.com/gpu.product
              operator: In
              values:
                {{- get (include "llm-common.gpus" $root | fromYaml) . | toYaml | nindent 16 }}
{{- end }}
tolerations:
  - key: {{ $llm.gpu.resource | quote }}
    operator: Exists
    effect: NoSchedule
  {{- with .Values.scheduling.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if .Values.scheduling.spreadOverNodes }}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "llm-common.selectorLabels" (dict "root" . "component" "engine") | nindent 8 }}
    {{- /* Each version spreads for itself: the old one's pods must not push the new one's together. */}}
    matchLabelKeys: [{{ eq .Values.workload "Rollout" | ternary "rollouts-pod-template-hash" "pod-template-hash" }}]
{{- end }}
{{- end }}
{{- end -}}
