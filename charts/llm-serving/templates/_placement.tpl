{{- /* llm-serving.gib: a number of GiB, also a half one, as a quantity. */ -}}
{{- define "llm-serving.gib" -}}
{{- $mib := mulf . 1024 | int -}}
{{- mod $mib 1024 | eq 0 | ternary (printf "%dGi" (div $mib 1024)) (printf "%dMi" $mib) -}}
{{- end -}}

{{- /* llm-serving.placement: on nodes with the GPU that the release was sized for, spread where possible. */ -}}
{{- define "llm-serving.placement" -}}
{{- $component := include "llm-serving.component" . -}}
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
                {{- get (include "llm-common.once" (list $root "llm-serving.gpus") | get $root.Values) . | toYaml | nindent 16 }}
{{- end }}
{{- include "llm-serving.tolerations" (dict "root" . "llm" $llm) }}
{{- if .Values.scheduling.spreadOverNodes }}
topologySpreadConstraints:
  - topologyKey: kubernetes.io/hostname
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "llm-common.selectorLabels" (dict "root" . "component" $component) | nindent 8 }}
    {{- /* Each version spreads for itself: the old one's pods must not push the new one's together. */}}
    matchLabelKeys: [{{ include "llm-serving.revisionLabel" . }}]
{{- end }}
{{- end }}
{{- end -}}

{{- /* llm-serving.tolerations (dict "root" $ "llm" $llm): GPU nodes carry a taint named like the resource of a whole GPU. */ -}}
{{- define "llm-serving.tolerations" -}}
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
