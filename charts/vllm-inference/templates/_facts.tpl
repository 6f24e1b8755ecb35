{{- /*
vllm-inference.context: what every template of this chart reads, as YAML: `llm`, the shared facts with defaults,
and `facts`, every number and name that follows from the values. Computed in one place, so
that manifests, guards and NOTES cannot disagree. Each template file parses it once and hands it on, since parsing
costs more than all else. Counts and seconds are integers: read them with `int`, since fromYaml makes floats.
*/ -}}
{{- define "vllm-inference.context" -}}
{{- $shared := include "llm-common.llm" . -}}
llm:
  {{- $shared | nindent 2 }}
facts:
  {{- include "vllm-inference.facts" (dict "root" . "llm" (fromYaml $shared)) | nindent 2 }}
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
{{- $gpus := mul (int $v.engine.parallelism.tensor) (int $v.engine.parallelism.pipeline) | int -}}
{{- $plan := include "vllm-inference.plan" (dict "root" . "llm" $llm "most" $most) -}}
{{- $peak := (fromJson $plan).peak | int -}}
{{- $source := $llm.model.source -}}
{{- $scheme := regexFind "^[a-z]+" $source -}}
{{- $path := regexReplaceAll "^[a-z]+://" $source "" -}}
{{- /* Whole probe periods of 10 s. */ -}}
{{- $startup := divf (mul 2 (int $life.loadSeconds)) 10 | ceil | int | mul 10 | int -}}
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
peakReplicas: {{ $peak }}
peakGpus: {{ mul $peak $gpus }}
rollout: {{ eq $v.workload "Rollout" }}
plan: {{ $plan }}
startGuardSeconds: {{ add $startup (int $life.imagePullSeconds) }}
startupSeconds: {{ $startup }}
progressDeadlineSeconds: {{ add $startup (int $life.imagePullSeconds) (int $v.strategy.deadlineMarginSeconds) }}
{{- /* preStop counts inside the grace period; 10 s are for the engine to close after the last stream. */}}
graceSeconds: {{ add (int $life.preStopSeconds) (int $life.longestStreamSeconds) 10 }}
scheme: {{ $scheme | quote }}
claim: {{ eq $scheme "pvc" | ternary (first (splitList "/" $path)) "" | quote }}
{{- if eq $scheme "pvc" }}
modelArgument: {{ printf "/models/%s" (rest (splitList "/" $path) | join "/") | trimSuffix "/" | quote }}
{{- else }}
modelArgument: {{ $path | quote }}
{{- end }}
offline: {{ ne $scheme "hf" }}
image: {{ $image | quote }}
host: {{ $host | quote }}
{{- end -}}
{{- end -}}
