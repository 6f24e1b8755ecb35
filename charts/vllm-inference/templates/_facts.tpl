{{- /*
vllm-inference.context: what every template of this chart reads: `llm`, the shared facts with defaults, and `facts`, every number
and name that follows from the values. Computed in one place, so that manifests, guards and NOTES cannot disagree, and once per
render, as by llm-common.once. Counts and seconds are integers: read them with `int`, since fromYaml makes floats.
Use: include "vllm-inference.context" . | get .Values
*/ -}}
{{- define "vllm-inference.context" -}}
{{- $key := "_vllm-inference.context" -}}
{{- if not (hasKey .Values $key) -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $facts := include "vllm-inference.facts" (dict "root" . "llm" $llm) | fromYaml -}}
{{- $_ := set .Values $key (dict "llm" $llm "facts" $facts) -}}
{{- end -}}
{{- $key -}}
{{- end -}}

{{- /* vllm-inference.claimName (list RELEASE CLASS COUNT): the template of a pod's claim. */ -}}
{{- define "vllm-inference.claimName" -}}
{{- printf "%s-gpu-%s" (index . 0) (printf "%s %d" (index . 1) (index . 2 | int) | sha256sum | trunc 8) -}}
{{- end -}}

{{- define "vllm-inference.facts" -}}
{{- $llm := .llm -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $life := $v.lifecycle -}}
{{- $autoscaled := $llm.components.autoscaling -}}
{{- $replicas := kindIs "invalid" $v.replicas | ternary $llm.replicas.min $v.replicas | int -}}
{{- $most := $replicas -}}
{{- if $autoscaled -}}
{{- $most = $llm.replicas.max | default $llm.replicas.min | int -}}
{{- end -}}
{{- $devices := mul (int $v.engine.parallelism.tensor) (int $v.engine.parallelism.pipeline) (int ($v.engine.parallelism.data | default 1)) | int -}}
{{- $gpus := empty $llm.gpu.resource | ternary 0 $devices -}}
{{- $nodes := int ($v.engine.parallelism.nodes | default 1) -}}
{{- $perPod := div $gpus $nodes | int -}}
{{- $plan := include "vllm-inference.plan" (dict "root" . "llm" $llm "most" $most) -}}
{{- $peak := (fromJson $plan).peak | int -}}
{{- /* Prefill servers are a Deployment of their own, updated in the same way and at the same time. */ -}}
{{- $prefill := ($v.split).prefill | default dict -}}
{{- $prefillGpus := empty $llm.gpu.resource | ternary 0 (int ($prefill.tensor | default $v.engine.parallelism.tensor)) -}}
{{- $prefillPeak := 0 -}}
{{- if $prefill -}}
{{- $prefillPeak = include "vllm-inference.peak" (dict "plan" (fromJson $plan) "most" (int $prefill.replicas)) | int -}}
{{- end -}}
{{- $source := $llm.model.source -}}
{{- $scheme := regexFind "^[a-z0-9]+" $source -}}
{{- $path := regexReplaceAll "^[a-z0-9]+://" $source "" -}}
{{- $downloaded := and $v.cache.download (eq $scheme "hf") -}}
{{- $before := $downloaded | ternary (int $v.cache.downloadSeconds) 0 -}}
{{- if $v.signature.method -}}
{{- $before = add $before (int ($v.signature.seconds | default 600)) -}}
{{- end -}}
{{- /* Servers of a split exchange the cache where they know the model by the same path, so each image has a path of its own. */ -}}
{{- $folder := "/models" -}}
{{- if and $prefill (eq $scheme "oci") -}}
{{- $folder = printf "/models/%s" (regexFind "[0-9a-f]{64}" (first (splitList "#" $path)) | trunc 12) -}}
{{- end -}}
{{- /* Whole probe periods of 10 s. */ -}}
{{- $startup := divf (mul 2 (int $life.loadSeconds)) 10 | ceil | int | mul 10 | int -}}
{{- /* The controller's clock stands still in an analysis of a canary's step, but not in the one before the turn. */ -}}
{{- $tested := 0 -}}
{{- $ways := fromJson $plan -}}
{{- if and (eq $ways.type "blueGreen") $ways.smoke -}}
{{- $tested = include "vllm-inference.smokeSeconds" . | int | add 60 -}}
{{- end -}}
{{- if and (eq $ways.type "blueGreen") $ways.quality -}}
{{- $tested = int $v.quality.deadlineSeconds | add 60 | max $tested -}}
{{- end -}}
{{- $registry := $v.image.registry | default $llm.environment.registry -}}
{{- $image := printf "%s:%s" $v.image.repository ($v.image.tag | default (printf "v%s" $v.engine.version)) -}}
{{- with $registry -}}
{{- $image = printf "%s/%s" . $image -}}
{{- end -}}
{{- with $v.image.digest -}}
{{- $image = printf "%s@%s" $image . -}}
{{- end -}}
{{- $host := $v.route.host -}}
{{- if and (not $host) $llm.environment.domain -}}
{{- $host = printf "%s.%s" .Release.Name $llm.environment.domain -}}
{{- end -}}
autoscaled: {{ $autoscaled }}
replicas: {{ $replicas }}
mostReplicas: {{ $most }}
gpusPerReplica: {{ $gpus }}
{{- /* A server is a pod, or one pod on each of its nodes. */}}
nodes: {{ $nodes }}
gpusPerPod: {{ $perPod }}
{{- /* The part of one GPU: two of them may be the same GPU, and cannot share a model. */}}
partGpu: {{ regexMatch "^nvidia.com/(mig-.*|.*[.]shared)$" $llm.gpu.resource }}
vendor: {{ first (splitList "/" $llm.gpu.resource) | quote }}
devices: {{ $devices }}
{{- /* A claim's template cannot be changed, and pods of the old version still need theirs: another request has another name. */}}
{{- if and $llm.gpu.deviceClass $gpus }}
claimTemplate: {{ include "vllm-inference.claimName" (list .Release.Name $llm.gpu.deviceClass $perPod) | quote }}
{{- else }}
claimTemplate: ""
{{- end }}
peakReplicas: {{ $peak }}
peakGpus: {{ add (mul $peak $gpus) (mul $prefillPeak $prefillGpus) }}
split: {{ not (empty $prefill) }}
prefillReplicas: {{ int $prefill.replicas }}
prefillPeak: {{ $prefillPeak }}
prefillGpus: {{ $prefillGpus }}
rollout: {{ eq $v.workload "Rollout" }}
plan: {{ $plan }}
startGuardSeconds: {{ add $startup $before (int $life.imagePullSeconds) }}
startupSeconds: {{ $startup }}
progressDeadlineSeconds: {{ add $startup $before (int $life.imagePullSeconds) $tested (int $v.strategy.deadlineMarginSeconds) }}
{{- /* preStop counts inside the grace period. After the last stream vLLM was seen to need 12 to 14 s until its process ends. */}}
graceSeconds: {{ add (int $life.preStopSeconds) (int $life.longestStreamSeconds) 20 }}
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
modelArgument: {{ printf "%s/models/%s/%s" (include "llm-common.once" (list . "llm-common.vllm") | get .Values).home ($path | replace "/" "--") $llm.model.revision | quote }}
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
image: {{ $image | quote }}
host: {{ $host | quote }}
{{- end -}}
{{- end -}}
