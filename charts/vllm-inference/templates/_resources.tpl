{{- /* vllm-inference.resources: /dev/shm and a KV cache beside the GPU's are memory of the pod, so the limit holds them too. */ -}}
{{- define "vllm-inference.resources" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- with .root -}}
{{- $memory := include "llm-serving.gib" (addf .Values.resources.memoryGiB .Values.resources.shmGiB .Values.engine.kvOffload.sizeGiB) -}}
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
