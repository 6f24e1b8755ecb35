{{- /*
vllm-inference.engine (dict "root" $ "llm" $llm): what llm-serving has to know of this engine, as YAML: `devices` of a server, of a
prefill server `prefillDevices`, `nodes` of a server, `port`, `image`, `initSeconds` before the process starts, `closeSeconds` after its last stream, `memoryShare` of its --gpu-memory-utilization, and of the model
`scheme`, `repository`, `claim` or `modelImage` that hold it, `modelFolder` where they are mounted, and `modelArgument` that is loaded.
*/ -}}
{{- define "vllm-inference.engine" -}}
{{- $llm := .llm -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $table := include "llm-common.once" (list . "vllm-inference.table") | get .Values -}}
{{- $parallelism := $v.engine.parallelism -}}
{{- $prefill := ($v.split).prefill | default dict -}}
{{- $source := $llm.model.source -}}
{{- $scheme := regexFind "^[a-z0-9]+" $source -}}
{{- $path := regexReplaceAll "^[a-z0-9]+://" $source "" -}}
{{- $downloaded := and $v.cache.download (eq $scheme "hf") -}}
{{- $initSeconds := $downloaded | ternary (int $v.cache.downloadSeconds) 0 -}}
{{- if $v.signature.method -}}
{{- $initSeconds = add $initSeconds (int ($v.signature.seconds | default 600)) -}}
{{- end -}}
{{- /* Servers of a split exchange the cache where they know the model by the same path, so each image has a path of its own. */ -}}
{{- $folder := "/models" -}}
{{- if and $prefill (eq $scheme "oci") -}}
{{- $folder = printf "/models/%s" (regexFind "[0-9a-f]{64}" (first (splitList "#" $path)) | trunc 12) -}}
{{- end -}}
{{- $registry := $v.image.registry | default $llm.environment.registry -}}
{{- $image := printf "%s:%s" $v.image.repository ($v.image.tag | default (printf "v%s" $v.engine.version)) -}}
{{- with $registry -}}
{{- $image = printf "%s/%s" . $image -}}
{{- end -}}
{{- with $v.image.digest -}}
{{- $image = printf "%s@%s" $image . -}}
{{- end -}}
devices: {{ mul (int $parallelism.tensor) (int $parallelism.pipeline) (int ($parallelism.data | default 1)) }}
prefillDevices: {{ int ($prefill.tensor | default $parallelism.tensor) }}
nodes: {{ int ($parallelism.nodes | default 1) }}
port: {{ int $table.port }}
image: {{ $image | quote }}
initSeconds: {{ $initSeconds }}
{{- /* After the last stream vLLM was seen to need 12 to 14 s until its process ends. */}}
closeSeconds: 20
{{- /* On CPUs a share of the pod's memory, of which the processes take 1.2 GiB before they look. */}}
{{- $memory := addf $v.resources.memoryGiB $v.resources.shmGiB }}
{{- $room := divf (subf $memory 2) $memory | mulf 100 | floor | maxf 10 }}
memoryShare: {{ empty $llm.gpu.resource | ternary (minf $v.engine.gpuMemoryUtilization (divf $room 100)) $v.engine.gpuMemoryUtilization }}
scheme: {{ $scheme | quote }}
claim: {{ eq $scheme "pvc" | ternary (first (splitList "/" $path)) "" | quote }}
{{- if eq $scheme "pvc" }}
modelArgument: {{ printf "/models/%s" (rest (splitList "/" $path) | join "/") | trimSuffix "/" | quote }}
{{- else if eq $scheme "oci" }}
modelArgument: {{ printf "%s/%s" $folder (rest (splitList "#" $path) | join "/") | trimSuffix "/" | quote }}
{{- else if eq $scheme "s3" }}
modelArgument: {{ $source | quote }}
{{- else if $downloaded }}
modelArgument: {{ printf "%s/models/%s/%s" $table.home ($path | replace "/" "--") $llm.model.revision | quote }}
{{- else }}
modelArgument: {{ $path | quote }}
{{- end }}
modelFolder: {{ $folder }}
repository: {{ $path | quote }}
modelImage: {{ eq $scheme "oci" | ternary (first (splitList "#" $path)) "" | quote }}
downloaded: {{ $downloaded }}
{{- /* offline: the engine asks no hub. remote: something in the pod reaches out of it. */}}
offline: {{ or $downloaded (ne $scheme "hf") }}
remote: {{ has $scheme (list "hf" "s3") }}
{{- end -}}
{{- end -}}
