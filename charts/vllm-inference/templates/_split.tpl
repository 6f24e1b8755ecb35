{{- /* Prefill and decode servers apart. "role" of what the pod gets is prefill, decode, or empty without a split. */ -}}

{{- /* vllm-inference.engineRole (dict "facts" $facts): the role of the servers that clients ask. */ -}}
{{- define "vllm-inference.engineRole" -}}
{{- .facts.split | ternary "decode" "" -}}
{{- end -}}

{{- /* vllm-inference.enginePort (as the pod): in a decode pod clients reach the sidecar, and the sidecar the engine. */ -}}
{{- define "vllm-inference.enginePort" -}}
{{- eq .role "decode" | ternary .table.split.decodePort .table.port | int -}}
{{- end -}}

{{- /* vllm-inference.splitArguments (as the pod): the engine's part of the split, as a JSON list. */ -}}
{{- define "vllm-inference.splitArguments" -}}
{{- $arguments := list -}}
{{- if eq .role "prefill" -}}
{{- $arguments = list (printf "--kv-transfer-config=%s" (dict "kv_connector" "NixlConnector" "kv_role" "kv_producer" | toJson)) -}}
{{- else if eq .role "decode" -}}
{{- /* A prefill server that went away costs the time of reading the prompt once more, not the answer. */ -}}
{{- $arguments = list (printf "--kv-transfer-config=%s" (dict "kv_connector" "NixlConnector" "kv_role" "kv_consumer" "kv_load_failure_policy" "recompute" | toJson)) -}}
{{- $arguments = append $arguments (printf "--port=%d" (int .table.split.decodePort)) -}}
{{- end -}}
{{- toJson $arguments -}}
{{- end -}}

{{- /* vllm-inference.splitVariables (as the pod): the address that servers of the other role find it by; the default is its own loopback. */ -}}
{{- define "vllm-inference.splitVariables" -}}
{{- if .role }}
- name: VLLM_NIXL_SIDE_CHANNEL_HOST
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: VLLM_NIXL_SIDE_CHANNEL_PORT
  value: {{ int .table.split.sideChannelPort | quote }}
{{- end }}
{{- end -}}

{{- /*
vllm-inference.proxy (as the pod): the routing sidecar of a decode pod. It has the prompt read by the prefill server that the picker named
in a header, and passes everything else on. A sidecar of Kubernetes: there before the engine, and until the engine has ended its streams.
*/ -}}
{{- define "vllm-inference.proxy" -}}
- name: proxy
  image: {{ .root.Values.split.proxy.image | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  restartPolicy: Always
  args:
    - --port={{ int .table.port }}
    - --kv-connector=nixlv2
    {{- /* TLS ends at the gateway; its own certificate would be signed by nobody. */}}
    - --secure-serving=false
  ports:
    - name: proxy
      containerPort: {{ int .table.port }}
      protocol: TCP
  resources:
    requests: {cpu: 500m, memory: 256Mi, ephemeral-storage: 64Mi}
    limits: {memory: 1Gi, ephemeral-storage: 64Mi}
  securityContext:
    {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 4 }}
{{- end -}}

{{- /*
vllm-inference.prefillValues (dict "root" $): the values as they are for a prefill server, as JSON: its own count, GPUs and resources over those of
the release. What was computed from the others is left out.
*/ -}}
{{- define "vllm-inference.prefillValues" -}}
{{- $values := omit .root.Values "_llm-serving.context" | deepCopy -}}
{{- $prefill := $values.split.prefill -}}
{{- $_ := set $values "replicas" $prefill.replicas -}}
{{- with $prefill.tensor -}}
{{- $_ := set $values.engine.parallelism "tensor" . -}}
{{- end -}}
{{- range list "maxNumSeqs" "maxNumBatchedTokens" -}}
{{- if hasKey $prefill . -}}
{{- $_ := set $values.engine . (get $prefill .) -}}
{{- end -}}
{{- end -}}
{{- range list "cpu" "memoryGiB" -}}
{{- if hasKey $prefill . -}}
{{- $_ := set $values.resources . (get $prefill .) -}}
{{- end -}}
{{- end -}}
{{- toJson $values -}}
{{- end -}}
