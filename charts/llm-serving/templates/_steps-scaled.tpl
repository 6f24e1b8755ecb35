{{- /*
llm-serving.scaledSteps (also "expanded" of the first pass): second pass. The steps as JSON, with setCanaryScale added where a canary
was scaled for a test without weight: it must not get more than its share, nor a shadow more than copies and share; and once there
are no more servers than the weight asks for, the weight decides again.
*/ -}}
{{- define "llm-serving.scaledSteps" -}}
{{- $most := .most -}}
{{- $copies := eq .plan.type "shadow" | ternary (int (.root.Values.strategy.shadow).percent) 0 -}}
{{- /* `scaled` says that servers were set apart from the weight, `servers` how many. */ -}}
{{- $scaled := .expanded.scaled -}}
{{- $servers := 0 -}}
{{- $steps := list -}}
{{- range .expanded.steps -}}
{{- $after := list -}}
{{- if and $scaled (int (get . "setWeight")) -}}
{{- $weight := int .setWeight -}}
{{- $load := min 100 (add $weight $copies) | int -}}
{{- $needed := include "llm-serving.share" (list $load $most) | int -}}
{{- $grows := lt $servers $needed -}}
{{- if $grows -}}
{{- $steps = append $steps (dict "setCanaryScale" (dict "weight" $load)) -}}
{{- end -}}
{{- if and (le $servers $needed) (or (eq $load $weight) (eq $weight 100)) -}}
{{- $after = list (dict "setCanaryScale" (dict "matchTrafficWeight" true)) -}}
{{- $scaled = false -}}
{{- end -}}
{{- $servers = $grows | ternary $needed $servers -}}
{{- else if and $scaled .setCanaryScale -}}
{{- $scale := .setCanaryScale -}}
{{- $servers = hasKey $scale "weight" | ternary (include "llm-serving.share" (list ($scale.weight | default 0) $most)) ($scale.replicas | default 0) | int -}}
{{- $scaled = empty $scale.matchTrafficWeight -}}
{{- end -}}
{{- $steps = concat $steps (list .) $after -}}
{{- end -}}
{{- toJson $steps -}}
{{- end -}}
