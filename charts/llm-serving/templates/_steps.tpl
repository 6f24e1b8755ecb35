{{- /*
From presets.yaml, or the user's list, to what Argo Rollouts reads, in three passes over a list of steps:
expandedSteps names every step of a new version, scaledSteps adds the sizes of a canary without weight, steps writes them for
the controller. Each takes (dict "root" $ "plan" $plan "most" servers).
*/ -}}

{{- /* llm-serving.share (list percent servers): servers for a share, rounded up, in whole numbers. */ -}}
{{- define "llm-serving.share" -}}
{{- $part := mul (index . 0 | int) (index . 1 | int) -}}
{{- div (add $part 99) 100 -}}
{{- end -}}

{{- /*
llm-serving.steps: third pass. What Argo Rollouts gets, as YAML: `steps`, and of each gate step `looks`, the windows that it has at
least, and `modes`. Gates count themselves; one at 100 % has nothing to compare with and judges by the promise alone.
*/ -}}
{{- define "llm-serving.steps" -}}
{{- $plan := .plan -}}
{{- $name := .root.Release.Name -}}
{{- $strategy := .root.Values.strategy -}}
{{- $gates := .root.Values.gates -}}
{{- $expanded := include "llm-serving.expandedSteps" . | fromJson -}}
{{- $steps := list -}}
{{- $looks := list -}}
{{- $modes := list -}}
{{- $weight := 0 -}}
{{- range include "llm-serving.scaledSteps" (merge (dict "expanded" $expanded) .) | fromJsonArray -}}
{{- $step := . -}}
{{- if hasKey . "setWeight" -}}
{{- $weight = int .setWeight -}}
{{- $step = dict "setWeight" $weight -}}
{{- else if hasKey . "approve" -}}
{{- $step = empty $strategy.approval | ternary dict (dict "pause" dict) -}}
{{- else if and (hasKey . "gate") $plan.gated -}}
{{- $alone := or (eq $weight 100) (and (eq $plan.type "ab") (eq $weight 0)) -}}
{{- $mode := $alone | ternary "absolute" "compare" -}}
{{- $step = dict "analysis" (include "llm-serving.gateStep" (dict "name" $name "step" (len $looks) "mode" $mode) | fromYaml) -}}
{{- $looks = append $looks (.gate.looks | default $gates.looks | int) -}}
{{- $modes = append $modes $mode -}}
{{- else if hasKey . "gate" -}}
{{- $step = dict "pause" (dict "duration" (.gate.pause | default $strategy.pause)) -}}
{{- else if or (hasKey . "smoke") (hasKey . "quality") -}}
{{- $step = dict "analysis" (include "llm-serving.testStep" (dict "name" $name "tests" (keys .)) | fromYaml) -}}
{{- end -}}
{{- if $step -}}
{{- $steps = append $steps $step -}}
{{- end -}}
{{- end -}}
steps: {{ $steps | toJson }}
looks: {{ $looks | toJson }}
modes: {{ $modes | toJson }}
{{- end -}}

{{- /* llm-serving.gateStep (dict "name" release "step" number "mode" compare|absolute): a look of the canary gate. */ -}}
{{- define "llm-serving.gateStep" -}}
templates:
  - templateName: {{ printf "%s-gate" .name | quote }}
args:
  {{- include "llm-serving.hashArguments" . | nindent 2 }}
  - {name: step, value: {{ toString .step | quote }}}
  - {name: mode, value: {{ .mode | quote }}}
{{- end -}}

{{- /* llm-serving.testStep (dict "name" release "tests" list): Jobs that ask the new version; names of their templates. */ -}}
{{- define "llm-serving.testStep" -}}
templates:
  {{- range .tests }}
  - templateName: {{ printf "%s-%s" $.name . | quote }}
  {{- end }}
args:
  {{- include "llm-serving.hashArguments" . | nindent 2 }}
{{- end -}}

{{- /* llm-serving.hashArguments: which pods are the new and the old version. */ -}}
{{- define "llm-serving.hashArguments" -}}
- name: canary-hash
  valueFrom: {podTemplateHashValue: Latest}
- name: stable-hash
  valueFrom: {podTemplateHashValue: Stable}
{{- end -}}
