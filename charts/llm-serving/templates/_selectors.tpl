{{- /* llm-serving.component (as the pod): the component label of its pods. */ -}}
{{- define "llm-serving.component" -}}
{{- if eq .node "worker" -}}worker{{- else if eq .role "prefill" -}}prefill{{- else -}}engine{{- end -}}
{{- end -}}

{{- /* llm-serving.revisionLabel: the label by which a workload's controller tells the pods of two versions apart. */ -}}
{{- define "llm-serving.revisionLabel" -}}
{{- get (dict "Rollout" "rollouts-pod-template-hash" "Deployment" "pod-template-hash" "LeaderWorkerSet" "leaderworkerset.sigs.k8s.io/template-revision-hash") .Values.workload -}}
{{- end -}}

{{- /* llm-serving.podsOfServers (dict "root" $ "facts" $facts): selects every pod that holds GPUs of this release. */ -}}
{{- define "llm-serving.podsOfServers" -}}
{{- $labelArgs := dict "root" .root "component" "engine" -}}
{{- if or (gt (int .facts.nodes) 1) .facts.split -}}
matchLabels:
  {{- omit (include "llm-common.selectorLabels" $labelArgs | fromYaml) "app.kubernetes.io/component" | toYaml | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [engine, {{ .facts.split | ternary "prefill" "worker" }}]}
{{- else -}}
matchLabels:
  {{- include "llm-common.selectorLabels" $labelArgs | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* llm-serving.poolLabels (dict "root" $): pods of an InferencePool of both roles; its selector knows no "either, or". */ -}}
{{- define "llm-serving.poolLabels" -}}
{{- omit (include "llm-common.selectorLabels" (dict "root" .root "component" "engine") | fromYaml) "app.kubernetes.io/component" | toYaml }}
llm-d.ai/inference-serving: "true"
{{- end -}}
