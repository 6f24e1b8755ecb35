{{- /* One server over several nodes: a leader that answers requests, and workers that hold the rest of its GPUs. */ -}}

{{- /*
vllm-inference.nodeArguments (as the pod, with "node"): what tells the engine its place among the nodes, as a JSON list; empty for a server
of one node. The LeaderWorkerSet controller sets the variables in each pod, and Kubernetes puts them into the words.
*/ -}}
{{- define "vllm-inference.nodeArguments" -}}
{{- $arguments := list -}}
{{- if eq .node "leader" -}}
{{- $arguments = list "--node-rank=0" "--master-addr=$(LWS_LEADER_ADDRESS)" -}}
{{- else if eq .node "worker" -}}
{{- $arguments = list "--node-rank=$(LWS_WORKER_INDEX)" "--master-addr=$(LWS_LEADER_ADDRESS)" "--headless" -}}
{{- end -}}
{{- if .node -}}
{{- /* What vLLM chooses itself on NVIDIA's GPUs, and not on all others. */ -}}
{{- $arguments = append $arguments "--distributed-executor-backend=mp" -}}
{{- end -}}
{{- toJson $arguments -}}
{{- end -}}

{{- /* vllm-inference.nodeVariables (as the pod, with "node"): the engine binds and announces this address, and no other of the pod. */ -}}
{{- define "vllm-inference.nodeVariables" -}}
{{- if .node }}
- name: VLLM_HOST_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- end }}
{{- end -}}
