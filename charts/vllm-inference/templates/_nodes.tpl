{{- /* One server over several nodes: a leader that answers requests, and workers that hold the rest of its GPUs. */ -}}

{{- /*
vllm-inference.nodeArguments (as the pod, with "node"): what tells the engine its place among the nodes, as a JSON list; empty for a server
of one node. The LeaderWorkerSet controller sets the variables in each pod, and Kubernetes puts them into the words.
*/ -}}
{{- define "vllm-inference.nodeArguments" -}}
{{- $words := list -}}
{{- if eq .node "leader" -}}
{{- $words = list "--node-rank=0" "--master-addr=$(LWS_LEADER_ADDRESS)" -}}
{{- else if eq .node "worker" -}}
{{- $words = list "--node-rank=$(LWS_WORKER_INDEX)" "--master-addr=$(LWS_LEADER_ADDRESS)" "--headless" -}}
{{- end -}}
{{- if .node -}}
{{- /* What vLLM chooses itself on NVIDIA's GPUs, and not on all others. */ -}}
{{- $words = append $words "--distributed-executor-backend=mp" -}}
{{- end -}}
{{- toJson $words -}}
{{- end -}}

{{- /* vllm-inference.nodeVariables (as the pod, with "node"): the engine binds and announces this address, and no other of the pod. */ -}}
{{- define "vllm-inference.nodeVariables" -}}
{{- if .node }}
- name: VLLM_HOST_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- end }}
{{- end -}}

{{- /* vllm-inference.revisionLabel: the label by which a workload's controller tells the pods of two versions apart. */ -}}
{{- define "vllm-inference.revisionLabel" -}}
{{- get (dict "Rollout" "rollouts-pod-template-hash" "Deployment" "pod-template-hash" "LeaderWorkerSet" "leaderworkerset.sigs.k8s.io/template-revision-hash") .Values.workload -}}
{{- end -}}

{{- /* vllm-inference.podsOfServers (dict "root" $ "facts" $facts): selects every pod that holds GPUs of this release. */ -}}
{{- define "vllm-inference.podsOfServers" -}}
{{- $who := dict "root" .root "component" "engine" -}}
{{- if or (gt (int .facts.nodes) 1) .facts.split -}}
matchLabels:
  {{- omit (include "llm-common.selectorLabels" $who | fromYaml) "app.kubernetes.io/component" | toYaml | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [engine, {{ .facts.split | ternary "prefill" "worker" }}]}
{{- else -}}
matchLabels:
  {{- include "llm-common.selectorLabels" $who | nindent 2 }}
{{- end -}}
{{- end -}}
