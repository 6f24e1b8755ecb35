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
{{- $nodeLabels := list -}}
{{- $nodeLabel := "nvidia.com/gpu.product" -}}
{{- with $llm.gpu.product -}}
{{- $nodeLabels = get (include "llm-common.once" (list $root "llm-serving.gpus") | get $root.Values) . -}}
{{- if kindIs "map" $nodeLabels -}}
{{- $nodeLabel = $nodeLabels.key -}}
{{- $nodeLabels = $nodeLabels.values -}}
{{- else if $llm.gpu.figures -}}
{{- $nodeLabel = $llm.gpu.figures.nodeLabel | default $nodeLabel -}}
{{- $nodeLabels = $llm.gpu.figures.nodeLabels -}}
{{- end -}}
{{- end -}}
{{- if .Values.scheduling.affinity }}
affinity:
  {{- include "llm-serving.affinity" (dict "affinity" .Values.scheduling.affinity "nodeLabels" $nodeLabels "nodeLabel" $nodeLabel) | nindent 2 }}
{{- else if $nodeLabels }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: {{ $nodeLabel }}
              operator: In
              values:
                {{- toYaml $nodeLabels | nindent 16 }}
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

{{- /* llm-serving.affinity (dict "affinity" of the values "nodeLabel" key "nodeLabels" list): the user's, and the GPU in each of its terms, any of which will do. */ -}}
{{- define "llm-serving.affinity" -}}
{{- $affinity := deepCopy .affinity -}}
{{- if .nodeLabels -}}
{{- $product := dict "key" .nodeLabel "operator" "In" "values" .nodeLabels -}}
{{- $node := $affinity.nodeAffinity | default dict -}}
{{- $terms := list -}}
{{- range ($node.requiredDuringSchedulingIgnoredDuringExecution).nodeSelectorTerms | default (list dict) -}}
{{- $terms = append $terms (merge (dict "matchExpressions" (append (.matchExpressions | default list) $product)) .) -}}
{{- end -}}
{{- $required := dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) -}}
{{- $_ := set $affinity "nodeAffinity" (merge $required (omit $node "requiredDuringSchedulingIgnoredDuringExecution")) -}}
{{- end -}}
{{- toYaml $affinity -}}
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
