{{- /*
vllm-inference.wanted (dict "root" $ "plan" $plan "most" servers): the way of a new version as a YAML list of what the values can
say: setWeight, pause, setCanaryScale, gate, smoke, quality; and approve, a person before 100 %. `pause` inside a gate is what
stands in its place where no gate can be asked.
*/ -}}
{{- define "vllm-inference.wanted" -}}
{{- $plan := .plan -}}
{{- $most := .most -}}
{{- $smoke := $plan.smoke | ternary (list (dict "smoke" dict)) list -}}
{{- $quality := $plan.quality | ternary (list (dict "quality" dict)) list -}}
{{- with .root -}}
{{- $strategy := .Values.strategy -}}
{{- $gate := dict "gate" dict -}}
{{- $approve := dict "approve" dict -}}
{{- $all := dict "setWeight" 100 -}}
{{- /* First what A/B and shadow do without any weight, on servers of their own. */ -}}
{{- $head := list -}}
{{- if eq $plan.type "ab" -}}
{{- $head = concat (list (dict "setCanaryScale" (dict "replicas" (int $strategy.ab.replicas)))) $smoke $quality -}}
{{- $head = concat $head (list $gate (dict "pause" dict)) -}}
{{- else if eq $plan.type "shadow" -}}
{{- $head = concat (list (dict "setCanaryScale" (dict "weight" (int $strategy.shadow.percent)))) $smoke $quality (list $gate) -}}
{{- end -}}
{{- $body := list (dict "setWeight" 10) $gate $approve $all -}}
{{- if kindIs "slice" $strategy.steps -}}
{{- $body = $strategy.steps | default $body -}}
{{- else if eq $strategy.steps "classic" -}}
{{- $body = list (dict "setWeight" 20) $gate (dict "setWeight" 40) (dict "gate" (dict "pause" "60s")) $approve $all -}}
{{- else if eq $strategy.steps "careful" -}}
{{- $body = list (dict "setWeight" 5) $gate (dict "setWeight" 25) $gate (dict "setWeight" 50) $gate $approve $all -}}
{{- if not $head -}}
{{- $head = concat (list (dict "setCanaryScale" (dict "replicas" (include "vllm-inference.share" (list 5 $most) | int)))) $smoke $quality -}}
{{- end -}}
{{- else if eq $plan.surge "oneSpare" -}}
{{- $body = list -}}
{{- range $k := untilStep 1 (add $most 1 | int) 1 -}}
{{- if eq $k $most -}}
{{- $body = append $body $approve -}}
{{- end -}}
{{- /* Where 100 / R is no whole number, the weight rounded up would scale one server too far. */ -}}
{{- if mod 100 $most -}}
{{- $body = append $body (dict "setCanaryScale" (dict "weight" (div (mul 100 $k) $most))) -}}
{{- end -}}
{{- $body = append $body (dict "setWeight" (divf (mul 100 $k) $most | ceil | int)) -}}
{{- if and (eq $k 1) (ne $k $most) -}}
{{- $body = append $body $gate -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* A person is asked once: where no pause of the list's own waits for one, it is before the first 100 %. */ -}}
{{- $asked := false -}}
{{- $wanted := list -}}
{{- range concat $head $body -}}
{{- $asked = or $asked (hasKey . "approve") (and (hasKey . "pause") (empty .pause)) -}}
{{- if and (not $asked) (eq (int (get . "setWeight")) 100) -}}
{{- $wanted = append $wanted $approve -}}
{{- $asked = true -}}
{{- end -}}
{{- if not (and (hasKey . "approve") (eq $plan.type "ab")) -}}
{{- $wanted = append $wanted . -}}
{{- end -}}
{{- end -}}
{{- if not $asked -}}
{{- $wanted = append $wanted $approve -}}
{{- end -}}
head: {{ $head | toJson }}
wanted: {{ $wanted | toJson }}
{{- end -}}
{{- end -}}
