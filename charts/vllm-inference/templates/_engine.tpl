{{- /*
vllm-inference.arguments (as the pod): the engine's command line as a YAML list. Typed values become flags by the generated
table, in its order and only when set; what the user adds comes last.
*/ -}}
{{- define "vllm-inference.arguments" -}}
{{- $ctx := . -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $table := .table -}}
{{- with .root -}}
{{- $arguments := list $facts.modelArgument -}}
{{- with without .Values.engine.servedNames $llm.model.name -}}
{{- /* The first of them is what metrics carry. */ -}}
{{- $arguments = concat $arguments (list "--served-model-name" $llm.model.name) . -}}
{{- else -}}
{{- $arguments = append $arguments (printf "--served-model-name=%s" $llm.model.name) -}}
{{- end -}}
{{- if and (not $facts.offline) $llm.model.revision -}}
{{- range list "--revision" "--tokenizer-revision" "--code-revision" -}}
{{- $arguments = append $arguments (printf "%s=%s" . $llm.model.revision) -}}
{{- end -}}
{{- end -}}
{{- $root := . -}}
{{- range $table.flags -}}
{{- if eq .key "gpuMemoryUtilization" -}}
{{- $arguments = append $arguments (printf "%s=%s" .flag (toJson $facts.memoryShare)) -}}
{{- else -}}
{{- $arguments = concat $arguments (include "vllm-inference.flag" (dict "root" $root "row" .) | fromJsonArray) -}}
{{- end -}}
{{- end -}}
{{- /* vLLM starts as many API servers as copies of the model, and of several each drops its streams at SIGTERM. */ -}}
{{- if gt (int (.Values.engine.parallelism.data | default 1)) 1 -}}
{{- $arguments = append $arguments "--api-server-count=1" -}}
{{- end -}}
{{- with .Values.engine.chatTemplate.key -}}
{{- $arguments = append $arguments (printf "--chat-template=%s/%s" $table.folders.chatTemplate .) -}}
{{- end -}}
{{- if .Values.engine.tls.secret -}}
{{- $tls := $table.folders.tls -}}
{{- $arguments = concat $arguments (list (printf "--ssl-certfile=%s/tls.crt" $tls) (printf "--ssl-keyfile=%s/tls.key" $tls) "--enable-ssl-refresh") -}}
{{- end -}}
{{- if eq $facts.scheme "s3" -}}
{{- $arguments = append $arguments "--load-format=runai_streamer" -}}
{{- end -}}
{{- /* A worker has no requests of its own, and lives on until the leader's are done. */ -}}
{{- if ne $ctx.node "worker" -}}
{{- $arguments = append $arguments (printf "--shutdown-timeout=%d" (int .Values.lifecycle.longestStreamSeconds)) -}}
{{- end -}}
{{- $arguments = append $arguments "--disable-access-log-for-endpoints=/health,/metrics,/ping" -}}
{{- $arguments = concat $arguments (include "vllm-inference.nodeArguments" $ctx | fromJsonArray) (include "vllm-inference.splitArguments" $ctx | fromJsonArray) -}}
{{- concat $arguments .Values.engine.extraArgs | toYaml -}}
{{- end -}}
{{- end -}}

{{- /* vllm-inference.environment (as the pod): environment variables of the engine as a YAML list. Secrets only by reference. */ -}}
{{- define "vllm-inference.environment" -}}
{{- $ctx := . -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $table := .table -}}
{{- with .root -}}
- name: HOME
  value: {{ $table.home | quote }}
- name: VLLM_NO_USAGE_STATS
  value: "1"
{{- /* Gateways keep idle connections (Traefik 90 s, Envoy an hour). The engine's own 5 s would close one just as a request
arrives on it, which the gateway answers with 502. */}}
- name: VLLM_HTTP_TIMEOUT_KEEP_ALIVE
  value: "3660"
{{- include "vllm-inference.nodeVariables" $ctx }}
{{- include "vllm-inference.splitVariables" $ctx }}
{{- if $facts.offline }}
- name: HF_HUB_OFFLINE
  value: "1"
{{- else }}
{{- with $llm.environment.hubEndpoint }}
- name: HF_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- include "vllm-inference.token" . }}
{{- end }}
{{- with .Values.engine.apiKey }}
{{- if .secret }}
- name: VLLM_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- if .Values.cache.existingClaim }}
{{- /* The engine loads compiled code from here: another image, model or command line gets another folder. */}}
- name: VLLM_CACHE_ROOT
  value: {{ printf "%s/.cache/vllm-%s" $table.home (printf "%s %s %s %s" $facts.image $llm.model.source $llm.model.revision (include "vllm-inference.arguments" $ctx) | sha256sum | trunc 16) | quote }}
{{- end }}
{{- if eq $facts.scheme "s3" }}
{{- include "vllm-inference.storeVariables" . }}
{{- end }}
{{- $root := . }}
{{- range $table.variables }}
{{- $value := include "vllm-inference.setting" (dict "root" $root "key" .key) | fromJson }}
{{- if $value.set }}
- name: {{ .name }}
  value: {{ .text | default (kindIs "string" $value.is | ternary (toString $value.is) (toJson $value.is)) | quote }}
{{- end }}
{{- end }}
{{- if .Values.engine.tracing.endpoint }}
- name: OTEL_SERVICE_NAME
  value: {{ .Release.Name | quote }}
{{- end }}
{{- include "llm-serving.proxyVariables" (dict "root" . "llm" $llm) }}
{{- with .Values.engine.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}
