{{- /* vllm-inference.share (list percent servers): servers for a share, rounded up, in whole numbers. */ -}}
{{- define "vllm-inference.share" -}}
{{- $part := mul (index . 0 | int) (index . 1 | int) -}}
{{- div (add $part 99) 100 -}}
{{- end -}}

{{- /*
vllm-inference.steps (as wanted): what Argo Rollouts gets, as YAML: `steps`, and of each gate step `looks`, the windows that
it has at least, and `modes`. Gates count themselves; one at 100 % has nothing to compare with and judges by the promise alone.
*/ -}}
{{- define "vllm-inference.steps" -}}
{{- $plan := .plan -}}
{{- $most := .most -}}
{{- $way := include "vllm-inference.wanted" . | fromYaml -}}
{{- with .root -}}
{{- $name := .Release.Name -}}
{{- $strategy := .Values.strategy -}}
{{- $looks := int .Values.gates.looks -}}
{{- $wanted := $way.wanted -}}
{{- $state := dict "steps" list "looks" list "modes" list "weight" 0 "fixed" (list) "watched" false -}}
{{- if $way.head -}}
{{- $_ := set $state "fixed" (list 0) -}}
{{- end -}}
{{- if $plan.watchLooks -}}
{{- $watched := dict "weight" 0 "gate" false -}}
{{- range $wanted -}}
{{- if hasKey . "setWeight" -}}
{{- $_ := set $watched "weight" (int .setWeight) -}}
{{- else if and (hasKey . "gate") (eq $watched.weight 100) -}}
{{- $_ := set $watched "gate" true -}}
{{- end -}}
{{- end -}}
{{- if not $watched.gate -}}
{{- if ne $watched.weight 100 -}}
{{- $wanted = append $wanted (dict "setWeight" 100) -}}
{{- end -}}
{{- $wanted = append $wanted (dict "gate" (dict "looks" $plan.watchLooks)) -}}
{{- end -}}
{{- end -}}
{{- range $wanted -}}
{{- if hasKey . "setWeight" -}}
{{- $weight := int .setWeight -}}
{{- $_ := set $state "weight" $weight -}}
{{- $after := list -}}
{{- /* Servers that were scaled for a test without weight must not get more than their share, nor a shadow more than copies and
share; and once there are no more of them than the weight asks for, it decides again. */ -}}
{{- if and $state.fixed $weight -}}
{{- $load := min 100 (add $weight (eq $plan.type "shadow" | ternary (int $strategy.shadow.percent) 0)) -}}
{{- $have := index $state.fixed 0 | int -}}
{{- $need := include "vllm-inference.share" (list $load $most) | int -}}
{{- if lt $have $need -}}
{{- $_ := set $state "steps" (append $state.steps (dict "setCanaryScale" (dict "weight" $load))) -}}
{{- $_ := set $state "fixed" (list $need) -}}
{{- end -}}
{{- if and (le $have $need) (or (eq $load (int64 $weight)) (eq $weight 100)) -}}
{{- $after = list (dict "setCanaryScale" (dict "matchTrafficWeight" true)) -}}
{{- $_ := set $state "fixed" list -}}
{{- end -}}
{{- end -}}
{{- $_ := set $state "steps" (concat $state.steps (list (dict "setWeight" $weight)) $after) -}}
{{- else if hasKey . "setCanaryScale" -}}
{{- $scale := .setCanaryScale -}}
{{- if $state.fixed -}}
{{- $servers := hasKey $scale "weight" | ternary (include "vllm-inference.share" (list ($scale.weight | default 0) $most)) ($scale.replicas | default 0) | int -}}
{{- $_ := set $state "fixed" (empty $scale.matchTrafficWeight | ternary (list $servers) list) -}}
{{- end -}}
{{- $_ := set $state "steps" (append $state.steps .) -}}
{{- else if hasKey . "approve" -}}
{{- if $strategy.approval -}}
{{- $_ := set $state "steps" (append $state.steps (dict "pause" dict)) -}}
{{- end -}}
{{- else if hasKey . "gate" -}}
{{- if $plan.gated -}}
{{- $alone := or (eq $state.weight 100) (and (eq $plan.type "ab") (eq $state.weight 0)) -}}
{{- $mode := $alone | ternary "absolute" "compare" -}}
{{- $step := include "vllm-inference.gate" (dict "name" $name "step" (len $state.looks) "mode" $mode) | fromYaml -}}
{{- $_ := set $state "steps" (append $state.steps (dict "analysis" $step)) -}}
{{- $_ := set $state "looks" (append $state.looks (.gate.looks | default $looks | int)) -}}
{{- $_ := set $state "modes" (append $state.modes $mode) -}}
{{- else -}}
{{- $_ := set $state "steps" (append $state.steps (dict "pause" (dict "duration" (.gate.pause | default $strategy.pause)))) -}}
{{- end -}}
{{- else if or (hasKey . "smoke") (hasKey . "quality") -}}
{{- $step := include "vllm-inference.test" (dict "name" $name "tests" (keys .)) | fromYaml -}}
{{- $_ := set $state "steps" (append $state.steps (dict "analysis" $step)) -}}
{{- else -}}
{{- $_ := set $state "steps" (append $state.steps .) -}}
{{- end -}}
{{- end -}}
steps: {{ $state.steps | toJson }}
looks: {{ $state.looks | toJson }}
modes: {{ $state.modes | toJson }}
{{- end -}}
{{- end -}}

{{- /* vllm-inference.gate (dict "name" release "step" number "mode" compare|absolute): a look of the canary gate. */ -}}
{{- define "vllm-inference.gate" -}}
templates:
  - templateName: {{ printf "%s-gate" .name | quote }}
args:
  {{- include "vllm-inference.hashes" . | nindent 2 }}
  - {name: step, value: {{ toString .step | quote }}}
  - {name: mode, value: {{ .mode | quote }}}
{{- end -}}

{{- /* vllm-inference.test (dict "name" release "tests" list): Jobs that ask the new version; names of their templates. */ -}}
{{- define "vllm-inference.test" -}}
templates:
  {{- range .tests }}
  - templateName: {{ printf "%s-%s" $.name . | quote }}
  {{- end }}
args:
  {{- include "vllm-inference.hashes" . | nindent 2 }}
{{- end -}}

{{- /* vllm-inference.hashes: which pods are the new and the old version. */ -}}
{{- define "vllm-inference.hashes" -}}
- name: canary-hash
  valueFrom: {podTemplateHashValue: Latest}
- name: stable-hash
  valueFrom: {podTemplateHashValue: Stable}
{{- end -}}
