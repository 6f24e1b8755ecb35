{{- /* llm-serving.validateStrategy: refusals that are about how a new version comes in. */ -}}
{{- define "llm-serving.validateStrategy" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $facts := $context.facts -}}
{{- $plan := $facts.plan -}}
{{- $v := .Values -}}
{{- $surge := $v.strategy.surge -}}
{{- $most := int $facts.mostReplicas -}}
{{- $canary := has $plan.type (list "canary" "ab" "shadow") -}}

{{- if and $canary (kindIs "slice" $v.strategy.steps) -}}
{{- $weight := 0 -}}
{{- $scaled := $most -}}
{{- range $step := $v.strategy.steps -}}
{{- with $step.setCanaryScale -}}
{{- if not $plan.routed -}}
{{- include "llm-common.refuse" (list $ "strategy.steps" "has setCanaryScale, which Argo Rollouts refuses without a traffic router" "write `trafficRouter: traefik` or remove the step") -}}
{{- end -}}
{{- $scaled = hasKey . "weight" | ternary (include "llm-serving.share" (list (.weight | default 0) $most)) (.replicas | default 0) | int -}}
{{- if .matchTrafficWeight -}}
{{- $scaled = $most -}}
{{- end -}}
{{- end -}}
{{- if hasKey $step "setWeight" -}}
{{- $weight = int $step.setWeight -}}
{{- if and (eq $weight 100) (lt $scaled $most) -}}
{{- include "llm-common.refuse" (list $ "strategy.steps" (printf "sends all requests to a canary of %d servers instead of %d" $scaled $most) "write setCanaryScale: {matchTrafficWeight: true} before setWeight: 100") -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey $step "gate") (eq $weight 0) (eq $plan.type "canary") -}}
{{- include "llm-common.refuse" (list $ "strategy.steps" "has a gate before any weight, where the new version has no request to be judged by" "write setWeight: 10 before it") -}}
{{- end -}}
{{- range $test := list "smoke" "quality" -}}
{{- if hasKey $step $test -}}
{{- if not $plan.routed -}}
{{- include "llm-common.refuse" (list $ "strategy.steps" (printf "has %s, which asks the new version alone, and without a router it has no Service of its own" $test) "write `trafficRouter: traefik` or remove the step") -}}
{{- end -}}
{{- if not (get $v $test | default dict).enabled -}}
{{- include "llm-common.refuse" (list $ "strategy.steps" (printf "has %s, but `%s.enabled` is false" $test $test) (printf "write `%s: {enabled: true}` or remove the step" $test)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and (has $plan.type (list "" "canary")) (not $plan.routed) (not $surge) (eq (int $plan.maxSurge) 0) (le (int $facts.replicas) 1) -}}
{{- include "llm-common.refuse" (list $ "strategy.maxSurge" "is 0 with a single server, so every update would stop the service and no canary would be seen" "write `strategy: {maxSurge: 1}` (one spare GPU set) or global: {llm: {replicas: {min: 2}}}") -}}
{{- end -}}
{{- if and (eq $surge "zeroSpare") (lt (int $facts.replicas) 2) -}}
{{- include "llm-common.refuse" (list $ "strategy.surge" "zeroSpare takes a server away first, and there is only one" "write global: {llm: {replicas: {min: 2}}}, or `strategy: {surge: single}` to see the ways of one server") -}}
{{- end -}}
{{- if eq $surge "single" -}}
{{- if gt $most 1 -}}
{{- include "llm-common.refuse" (list $ "strategy.surge" (printf "single is for one server, and there are %d" $most) "remove it") -}}
{{- end -}}
{{- if $canary -}}
{{- include "llm-common.refuse" (list $ "strategy.surge" "single and a canary exclude each other, since one server has no share to give" "write `strategy: {type: blueGreen}` with a spare GPU set, or `workload: Deployment`, which stops the old version first") -}}
{{- end -}}
{{- end -}}

{{- if eq $surge "oneSpare" -}}
{{- if $facts.autoscaled -}}
{{- include "llm-common.refuse" (list $ "strategy.surge" "oneSpare needs steps of 100 / R, and an autoscaler changes R" "write `strategy: {surge: instantAbort}`") -}}
{{- end -}}
{{- if or (lt $most 2) (gt $most 45) -}}
{{- include "llm-common.refuse" (list $ "strategy.surge" (printf "oneSpare moves one of 2 to 45 servers at a time, and there are %d" $most) "write `strategy: {surge: instantAbort}`") -}}
{{- end -}}
{{- if gt (int $plan.peak) (add $most 1) -}}
{{- $right := list -}}
{{- range untilStep 1 (add $most 1 | int) 1 -}}
{{- $right = append $right (divf (mul 100 .) $most | ceil | int) -}}
{{- end -}}
{{- include "llm-common.refuse" (list $ "strategy.steps" (printf "would take %d servers more than the %d that serve, and surge oneSpare has 1" (sub (int $plan.peak) $most) $most) (printf "remove steps, and the chart writes setWeight %s" ($right | join ", "))) -}}
{{- end -}}
{{- end -}}

{{- if gt (int $v.strategy.previewReplicas) $most -}}
{{- include "llm-common.refuse" (list $ "strategy.previewReplicas" (printf "is %d, more than the %d servers of the release" (int $v.strategy.previewReplicas) $most) (printf "write `strategy: {previewReplicas: %d}` or less" $most)) -}}
{{- end -}}
{{- end -}}
