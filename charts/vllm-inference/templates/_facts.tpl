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
{{- $strategy := $v.strategy -}}
{{- $autoscaled := $llm.components.autoscaling -}}
{{- $replicas := kindIs "invalid" $v.replicas | ternary $llm.replicas.min $v.replicas | int -}}
{{- $most := $replicas -}}
{{- if $autoscaled -}}
{{- $most = $llm.replicas.max | default $llm.replicas.min | int -}}
{{- end -}}
{{- $gpus := mul (int $v.engine.parallelism.tensor) (int $v.engine.parallelism.pipeline) | int -}}
{{- $canary := eq $v.workload "Rollout" -}}
{{- $routed := and $canary (ne $v.trafficRouter "none") -}}
{{- $steps := include "vllm-inference.steps" . | fromYamlArray -}}
{{- /* Pods at the peak of an update. Routed: stable stays whole while the canary grows to full size; with
dynamicStableScale stable shrinks one step behind; without a router the surge is all there is, up to a full second version. */ -}}
{{- $peak := add $most (min $most (int $strategy.maxSurge)) | int -}}
{{- $scaled := 0 -}}
{{- range $steps -}}
{{- with .setCanaryScale -}}
{{- $scaled = max $scaled (.replicas | default 0 | int) (divf (mulf (.weight | default 0) $most) 100 | ceil | int) | int -}}
{{- end -}}
{{- end -}}
{{- if and $routed (not $strategy.dynamicStableScale) -}}
{{- $peak = add $most (max $most $scaled) | int -}}
{{- else if $routed -}}
{{- /* A scaled canary may stand beside a stable version that is still whole. */ -}}
{{- $peak = add $most $scaled | int -}}
{{- $before := 0 -}}
{{- range concat $steps (list (dict "setWeight" 100)) -}}
{{- if hasKey . "setWeight" -}}
{{- $up := divf (mulf .setWeight $most) 100 | ceil | int -}}
{{- $left := divf (mulf (subf 100 $before) $most) 100 | ceil | int -}}
{{- $peak = max $peak (add $up $left) | int -}}
{{- $before = .setWeight -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
canary: {{ $canary }}
routed: {{ $routed }}
{{- /* A canary that never starts is seen from scrapes, so it takes both: somebody who scrapes, and a URL to ask. */}}
guarded: {{ and $canary $llm.components.monitoring (not (empty $llm.environment.monitoring.prometheusUrl)) }}
startGuardSeconds: {{ add $startup (int $life.imagePullSeconds) }}
startupSeconds: {{ $startup }}
progressDeadlineSeconds: {{ add $startup (int $life.imagePullSeconds) (int $strategy.deadlineMarginSeconds) }}
{{- /* preStop counts inside the grace period; 10 s are for the engine to close after the last stream. */}}
graceSeconds: {{ add (int $life.preStopSeconds) (int $life.longestStreamSeconds) 10 }}
{{- /* Stable pods outlive the last stream that a router may still have given them. */}}
scaleDownDelaySeconds: {{ add (int $life.preStopSeconds) (int $life.longestStreamSeconds) 15 }}
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

{{- /* vllm-inference.steps: the canary's steps as a YAML list; the user's, or the default ones. */ -}}
{{- define "vllm-inference.steps" -}}
{{- with .Values.strategy.steps -}}
{{ toYaml . }}
{{- else -}}
- setWeight: 10
- pause: {duration: {{ .Values.strategy.pause | toJson }}}
- setWeight: 50
- pause: {duration: {{ .Values.strategy.pause | toJson }}}
- setWeight: 100
{{- end -}}
{{- end -}}
