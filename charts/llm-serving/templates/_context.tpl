{{- /*
llm-serving.context: what every template of an engine's chart reads: `llm`, the shared facts with defaults, and `facts`, every number
and name that follows from the values. Computed in one place, so that manifests, guards and NOTES cannot disagree, and once per
render, as by llm-common.once. Counts and seconds are integers: read them with `int`, since fromYaml makes floats.
Use: include "llm-serving.context" . | get .Values
*/ -}}
{{- define "llm-serving.context" -}}
{{- $key := "_llm-serving.context" -}}
{{- if not (hasKey .Values $key) -}}
{{- $llm := include "llm-common.once" (list . "llm-common.llm") | get .Values -}}
{{- $engine := include (printf "%s.engine" .Chart.Name) (dict "root" . "llm" $llm) | fromYaml -}}
{{- $facts := include "llm-serving.facts" (dict "root" . "llm" $llm "engine" $engine) | fromYaml -}}
{{- $_ := set .Values $key (dict "llm" $llm "facts" (merge $facts $engine)) -}}
{{- end -}}
{{- $key -}}
{{- end -}}

{{- /* llm-serving.claimName (list RELEASE CLASS COUNT): the template of a pod's claim. */ -}}
{{- define "llm-serving.claimName" -}}
{{- printf "%s-gpu-%s" (index . 0) (printf "%s %d" (index . 1) (index . 2 | int) | sha256sum | trunc 8) -}}
{{- end -}}

{{- /*
llm-serving.facts (dict "root" $ "llm" $llm "engine" $engine): what follows from the values whatever the engine is, as YAML. $engine is
what the define ENGINE-CHART.engine says, see README.md.
*/ -}}
{{- define "llm-serving.facts" -}}
{{- $llm := .llm -}}
{{- $engine := .engine -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $life := $v.lifecycle -}}
{{- $autoscaled := $llm.components.autoscaling -}}
{{- $replicas := kindIs "invalid" $v.replicas | ternary $llm.replicas.min $v.replicas | int -}}
{{- $most := $autoscaled | ternary ($llm.replicas.max | default $llm.replicas.min) $replicas | int -}}
{{- $gpus := empty $llm.gpu.resource | ternary 0 (int $engine.devices) -}}
{{- $perPod := div $gpus (int $engine.nodes) | int -}}
{{- $plan := include "llm-serving.plan" (dict "root" . "llm" $llm "most" $most) | fromJson -}}
{{- $peak := int $plan.peak -}}
{{- /* Prefill servers are a Deployment of their own, updated in the same way and at the same time. */ -}}
{{- $prefill := ($v.split).prefill | default dict -}}
{{- $prefillGpus := empty $llm.gpu.resource | ternary 0 (int $engine.prefillDevices) -}}
{{- $prefillPeak := 0 -}}
{{- if $prefill -}}
{{- $prefillPeak = include "llm-serving.peak" (dict "plan" $plan "most" (int $prefill.replicas)) | int -}}
{{- end -}}
{{- /* Whole probe periods of 10 s. */ -}}
{{- $startup := divf (mul 2 (int $life.loadSeconds)) 10 | ceil | int | mul 10 | int -}}
{{- /* The controller's clock stands still in an analysis of a canary's step, but not in the one before the turn. */ -}}
{{- $testSeconds := 0 -}}
{{- if and (eq $plan.type "blueGreen") $plan.smoke -}}
{{- $testSeconds = include "llm-serving.smokeSeconds" . | int | add 60 -}}
{{- end -}}
{{- if and (eq $plan.type "blueGreen") $plan.quality -}}
{{- $testSeconds = int $v.quality.deadlineSeconds | add 60 | max $testSeconds -}}
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
gpusPerPod: {{ $perPod }}
{{- /* The part of one GPU: two of them may be the same GPU, and cannot share a model. */}}
partGpu: {{ regexMatch "^nvidia.com/(mig-.*|.*[.]shared)$" $llm.gpu.resource }}
vendor: {{ first (splitList "/" $llm.gpu.resource) | quote }}
{{- /* A claim's template cannot be changed, and pods of the old version still need theirs: another request has another name. */}}
{{- if and $llm.gpu.deviceClass $gpus }}
claimTemplate: {{ include "llm-serving.claimName" (list .Release.Name $llm.gpu.deviceClass $perPod) | quote }}
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
plan: {{ toJson $plan }}
startGuardSeconds: {{ add $startup (int $engine.initSeconds) (int $life.imagePullSeconds) }}
startupSeconds: {{ $startup }}
progressDeadlineSeconds: {{ add $startup (int $engine.initSeconds) (int $life.imagePullSeconds) $testSeconds (int $v.strategy.deadlineMarginSeconds) }}
{{- /* preStop counts inside the grace period. */}}
graceSeconds: {{ add (int $life.preStopSeconds) (int $life.longestStreamSeconds) (int $engine.closeSeconds) }}
host: {{ $host | quote }}
{{- end -}}
{{- end -}}
