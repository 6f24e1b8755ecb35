{{- /* vllm-inference.gib: a number of GiB, also a half one, as a quantity. */ -}}
{{- define "vllm-inference.gib" -}}
{{- $mib := mulf . 1024 | int -}}
{{- mod $mib 1024 | eq 0 | ternary (printf "%dGi" (div $mib 1024)) (printf "%dMi" $mib) -}}
{{- end -}}

{{- /* vllm-inference.resources: /dev/shm and a KV cache beside the GPU's are memory of the pod, so the limit holds them too. */ -}}
{{- define "vllm-inference.resources" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- with .root -}}
{{- $memory := include "vllm-inference.gib" (addf .Values.resources.memoryGiB .Values.resources.shmGiB .Values.engine.kvOffload.sizeGiB) -}}
{{- $disk := printf "%dGi" (add 4 (empty .Values.cache.existingClaim | ternary (int .Values.cache.sizeGiB) 0)) -}}
{{- $counted := and $facts.gpusPerPod (not $facts.claimTemplate) -}}
requests:
  cpu: {{ .Values.resources.cpu | toString | quote }}
  memory: {{ $memory }}
  ephemeral-storage: {{ $disk }}
  {{- if $counted }}
  {{ $llm.gpu.resource }}: {{ int $facts.gpusPerPod | quote }}
  {{- end }}
limits:
  memory: {{ $memory }}
  ephemeral-storage: {{ $disk }}
  {{- if $counted }}
  {{ $llm.gpu.resource }}: {{ int $facts.gpusPerPod | quote }}
  {{- end }}
{{- if $facts.claimTemplate }}
claims:
  - name: gpu
{{- end }}
{{- end -}}
{{- end -}}

{{- /* vllm-inference.placement: on nodes with the GPU that the release was sized for, spread where possible. */ -}}
{{- define "vllm-inference.placement" -}}
{{- $component := include "vllm-inference.component" . -}}
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
                {{- get (include "llm-common.once" (list $root "llm-common.gpus") | get $root.Values) . | toYaml | nindent 16 }}
{{- end }}
{{- include "vllm-inference.tolerations" (dict "root" . "llm" $llm) }}
{{- if .Values.scheduling.spreadOverNodes }}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "llm-common.selectorLabels" (dict "root" . "component" $component) | nindent 8 }}
    {{- /* Each version spreads for itself: the old one's pods must not push the new one's together. */}}
    matchLabelKeys: [{{ include "vllm-inference.revisionLabel" . }}]
{{- end }}
{{- end }}
{{- end -}}

{{- /* vllm-inference.tolerations (dict "root" $ "llm" $llm): GPU nodes carry a taint named like the resource of a whole GPU. */ -}}
{{- define "vllm-inference.tolerations" -}}
{{- $taint := hasPrefix "nvidia.com/" .llm.gpu.resource | ternary "nvidia.com/gpu" .llm.gpu.resource -}}
{{- if or $taint .root.Values.scheduling.tolerations }}
tolerations:
  {{- with $taint }}
  - key: {{ . | quote }}
    operator: Exists
    effect: NoSchedule
  {{- end }}
  {{- with .root.Values.scheduling.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}
