{{- /* vllm-inference.storeVariables: where the object store is and what it wants. */ -}}
{{- define "vllm-inference.storeVariables" -}}
{{- with .Values.objectStore.endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
- name: RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING
  value: "0"
{{- end }}
{{- if or .Values.objectStore.endpoint .Values.objectStore.secret }}
- name: AWS_EC2_METADATA_DISABLED
  value: "true"
{{- end }}
{{- with .Values.objectStore.region }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.objectStore.secret }}
{{- $secret := . }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret | quote }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* vllm-inference.token: the hub's token, for whoever asks the hub. */ -}}
{{- define "vllm-inference.token" -}}
{{- with .Values.hub.tokenSecret }}
{{- if .name }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .name | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* vllm-inference.homeMount (as the pod): the engine's home. On a claim each release has its own folder: what stands in it is code. */ -}}
{{- define "vllm-inference.homeMount" -}}
{{- $subPath := empty .root.Values.cache.existingClaim | ternary "" (printf ", subPath: %s" .root.Release.Name) -}}
- {name: home, mountPath: {{ .table.home }}{{ $subPath }}}
{{- end -}}

{{- /* vllm-inference.initContainers (as the pod): what runs before the engine and, a sidecar, beside it; empty for nothing. */ -}}
{{- define "vllm-inference.initContainers" -}}
{{- /* The user's come first, so that a check of the signature has the last word about files that they bring. */ -}}
{{- $security := include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" .root.Values.securityContext.readOnlyRootFilesystem) | fromYaml -}}
{{- range .root.Values.initContainers }}
{{ list (mergeOverwrite (dict "securityContext" $security) (deepCopy .)) | toYaml }}
{{- end }}
{{- if .context.facts.downloaded }}
{{ include "vllm-inference.download" . }}
{{- end }}
{{- if .root.Values.signature.method }}
{{ include "vllm-inference.verify" . }}
{{- end }}
{{- if eq .role "decode" }}
{{ include "vllm-inference.proxy" . }}
{{- end }}
{{- end -}}

{{- /* vllm-inference.download (as the pod): the container that brings the model before the engine starts. */ -}}
{{- define "vllm-inference.download" -}}
{{- $ctx := . -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- with .root -}}
- name: download
  image: {{ $facts.image | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python3, /download/download.py]
  env:
    - name: HUB
      value: {{ $llm.environment.hubEndpoint | default "https://huggingface.co" | quote }}
    - name: REPOSITORY
      value: {{ $facts.repository | quote }}
    - name: REVISION
      value: {{ $llm.model.revision | quote }}
    - name: FOLDER
      value: {{ $facts.modelArgument | quote }}
    {{- if .Values.signature.method }}
    {{- /* What was signed is the whole commit. */}}
    - name: EVERY_FILE
      value: "1"
    {{- end }}
    {{- /* It runs beside GPUs of others; the engine image would ask the runtime for all of them. */}}
    - name: NVIDIA_VISIBLE_DEVICES
      value: void
    {{- include "vllm-inference.token" . | nindent 4 | trimSuffix "\n    " }}
    {{- with include "llm-serving.proxyVariables" (dict "root" . "llm" $llm) }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with (include "llm-serving.proxy" (dict "root" . "llm" $llm) | fromYaml).variables }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    requests: {cpu: "1", memory: 512Mi, ephemeral-storage: 64Mi}
    {{- /* Written pages count as memory of the container until they are on the disk, but can be dropped. */}}
    limits: {memory: 2Gi, ephemeral-storage: {{ add 1 (empty .Values.cache.existingClaim | ternary (int .Values.cache.sizeGiB) 0) }}Gi}
  securityContext:
    {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 4 }}
  volumeMounts:
    {{- include "vllm-inference.homeMount" $ctx | nindent 4 }}
    - {name: download, mountPath: /download, readOnly: true}
{{- end -}}
{{- end -}}
