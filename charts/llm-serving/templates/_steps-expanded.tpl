{{- /* llm-serving.presetNumber (dict "value" of presets.yaml "strategy" $strategy "most" servers): `5%`, a key under strategy, or a number. */ -}}
{{- define "llm-serving.presetNumber" -}}
{{- if hasSuffix "%" (toString .value) -}}
{{- include "llm-serving.share" (list (trimSuffix "%" .value) .most) -}}
{{- else if kindIs "string" .value -}}
{{- $number := .strategy -}}
{{- range splitList "." .value -}}
{{- $number = get $number . -}}
{{- end -}}
{{- int $number -}}
{{- else -}}
{{- int .value -}}
{{- end -}}
{{- end -}}

{{- /* llm-serving.stepsBeforeWeight: those of the preset whose tests the values offer, as JSON; empty for most. */ -}}
{{- define "llm-serving.stepsBeforeWeight" -}}
{{- $context := . -}}
{{- $strategy := .root.Values.strategy -}}
{{- $presets := (include "llm-common.once" (list .root "llm-serving.presets") | get .root.Values).beforeWeight -}}
{{- $steps := list -}}
{{- range get $presets .plan.type | default (get $presets (toString $strategy.steps)) | default list -}}
{{- $step := . -}}
{{- range $name, $value := .setCanaryScale -}}
{{- $number := include "llm-serving.presetNumber" (dict "value" $value "strategy" $strategy "most" $context.most) | int -}}
{{- $step = dict "setCanaryScale" (dict $name $number) -}}
{{- end -}}
{{- $offered := true -}}
{{- range list "smoke" "quality" -}}
{{- if hasKey $step . -}}
{{- $offered = get $context.plan . -}}
{{- end -}}
{{- end -}}
{{- if $offered -}}
{{- $steps = append $steps $step -}}
{{- end -}}
{{- end -}}
{{- toJson $steps -}}
{{- end -}}

{{- /* llm-serving.oneSpareSteps: the new version grows by one server at a time, as JSON; a gate at the first, a person before the last. */ -}}
{{- define "llm-serving.oneSpareSteps" -}}
{{- $most := .most -}}
{{- $steps := list -}}
{{- range $servers := untilStep 1 (add $most 1 | int) 1 -}}
{{- if eq $servers $most -}}
{{- $steps = append $steps (dict "approve" dict) -}}
{{- end -}}
{{- /* Where 100 / R is no whole number, the weight rounded up would scale one server too far. */ -}}
{{- if mod 100 $most -}}
{{- $steps = append $steps (dict "setCanaryScale" (dict "weight" (div (mul 100 $servers) $most))) -}}
{{- end -}}
{{- $steps = append $steps (dict "setWeight" (divf (mul 100 $servers) $most | ceil | int)) -}}
{{- if and (eq $servers 1) (ne $servers $most) -}}
{{- $steps = append $steps (dict "gate" dict) -}}
{{- end -}}
{{- end -}}
{{- toJson $steps -}}
{{- end -}}

{{- /*
llm-serving.expandedSteps: first pass. The steps as JSON: `steps`, and `scaled`, whether the canary begins with servers and no weight.
A person (`approve`) stands where one is to be asked: once, before the first 100 %, unless a pause of the list waits for one already.
*/ -}}
{{- define "llm-serving.expandedSteps" -}}
{{- $plan := .plan -}}
{{- $strategy := .root.Values.strategy -}}
{{- $presets := (include "llm-common.once" (list .root "llm-serving.presets") | get .root.Values).steps -}}
{{- $beforeWeight := include "llm-serving.stepsBeforeWeight" . | fromJsonArray -}}
{{- $withWeight := list -}}
{{- if kindIs "slice" $strategy.steps -}}
{{- $withWeight = $strategy.steps | default $presets.gray -}}
{{- else if and (eq $strategy.steps "gray") (eq $plan.surge "oneSpare") -}}
{{- $withWeight = include "llm-serving.oneSpareSteps" . | fromJsonArray -}}
{{- else -}}
{{- $withWeight = get $presets $strategy.steps -}}
{{- end -}}
{{- $approved := false -}}
{{- $weight := 0 -}}
{{- $gateAtFull := false -}}
{{- $steps := list -}}
{{- range concat $beforeWeight $withWeight -}}
{{- $approved = or $approved (hasKey . "approve") (and (hasKey . "pause") (empty .pause)) -}}
{{- if hasKey . "setWeight" -}}
{{- $weight = int .setWeight -}}
{{- if and (not $approved) (eq $weight 100) -}}
{{- $steps = append $steps (dict "approve" dict) -}}
{{- $approved = true -}}
{{- end -}}
{{- end -}}
{{- $gateAtFull = or $gateAtFull (and (hasKey . "gate") (eq $weight 100)) -}}
{{- /* An A/B test has waited for a person already. */ -}}
{{- if not (and (hasKey . "approve") (eq $plan.type "ab")) -}}
{{- $steps = append $steps . -}}
{{- end -}}
{{- end -}}
{{- if not $approved -}}
{{- $steps = append $steps (dict "approve" dict) -}}
{{- end -}}
{{- if and $plan.watchLooks (not $gateAtFull) -}}
{{- if ne $weight 100 -}}
{{- $steps = append $steps (dict "setWeight" 100) -}}
{{- end -}}
{{- $steps = append $steps (dict "gate" (dict "looks" $plan.watchLooks)) -}}
{{- end -}}
{{- dict "steps" $steps "scaled" (not (empty $beforeWeight)) | toJson -}}
{{- end -}}
