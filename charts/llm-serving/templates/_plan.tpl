{{- /*
llm-serving.plan (dict "root" $ "llm" $llm "most" servers): how a new version comes in, as YAML. `type` ("" for a Deployment),
`surge` (the preset), `routed` (a router splits by weight), `guarded` (RELEASE-started), `gated` (RELEASE-gate), `smoke`, `quality`
(their Jobs), `dynamic`, `maxSurge`, `maxUnavailable`, `recreate` (a Deployment that stops first), `watchLooks` (windows of the last
gate), `warmSeconds`, `steps`, of each gate step `looks` (windows) and `modes`, and `peak` (servers at the worst moment).
*/ -}}
{{- define "llm-serving.plan" -}}
{{- $llm := .llm -}}
{{- $most := .most -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $strategy := $v.strategy -}}
{{- $life := $v.lifecycle -}}
{{- $type := eq $v.workload "Rollout" | ternary $strategy.type "" -}}
{{- $routed := and (has $type (list "canary" "ab" "shadow")) (ne $v.trafficRouter "none") -}}
{{- $watching := and $type $llm.components.monitoring | empty | not -}}
{{- $gated := and $watching (not (empty $llm.environment.gate.url)) (not (empty $v.gates.signals)) -}}
{{- $zero := eq $strategy.surge "zeroSpare" -}}
{{- $surge := kindIs "invalid" $strategy.maxSurge | ternary ($zero | ternary 0 1) ($strategy.maxSurge | default 0) | int -}}
{{- $unavailable := kindIs "invalid" $strategy.maxUnavailable | ternary ($zero | ternary 1 0) ($strategy.maxUnavailable | default 0) | int -}}
{{- $looks := int $v.gates.looks -}}
{{- if not (eq $type "blueGreen") -}}
{{- $looks = 0 -}}
{{- end -}}
{{- with $strategy.watchMinutes -}}
{{- $looks = divf (mulf . 60) $v.gates.windowSeconds | ceil | int -}}
{{- end -}}
{{- /* Old pods outlive the last stream that a router may still have given them. */ -}}
{{- $streams := add (int $life.preStopSeconds) (int $life.longestStreamSeconds) 15 -}}
{{- $plan := dict "type" $type "surge" $strategy.surge "routed" $routed "gated" $gated -}}
{{- $_ := set $plan "guarded" (and $watching (ne $type "blueGreen") (not (empty $llm.environment.monitoring.prometheusUrl))) -}}
{{- $_ := set $plan "smoke" (not (empty ($v.smoke | default dict).enabled)) -}}
{{- $_ := set $plan "quality" (not (empty ($v.quality | default dict).enabled)) -}}
{{- $_ := set $plan "dynamic" (or $strategy.dynamicStableScale (eq $strategy.surge "oneSpare")) -}}
{{- $_ := set $plan "maxSurge" $surge -}}
{{- $_ := set $plan "maxUnavailable" $unavailable -}}
{{- $_ := set $plan "groups" (eq $v.workload "LeaderWorkerSet") -}}
{{- $_ := set $plan "recreate" (and (not $type) (eq $strategy.surge "single")) -}}
{{- $_ := set $plan "watchLooks" ($gated | ternary $looks 0) -}}
{{- $_ := set $plan "warmSeconds" (max $streams (int $strategy.warmSeconds)) -}}
{{- if has $type (list "canary" "ab" "shadow") -}}
{{- $plan = include "llm-serving.steps" (dict "root" . "plan" $plan "most" $most) | fromYaml | merge $plan -}}
{{- else -}}
{{- $plan = merge $plan (dict "steps" list "looks" (list $plan.watchLooks) "modes" (list "absolute")) -}}
{{- end -}}
{{- $_ := set $plan "peak" (include "llm-serving.peak" (dict "plan" $plan "most" $most) | int) -}}
{{- toJson $plan -}}
{{- end -}}
{{- end -}}

{{- /*
llm-serving.peak (dict "plan" $plan "most" servers): servers at the worst moment of an update. Stable stays whole: twice as
many, or more where a scaled canary is larger. With dynamicStableScale stable follows one step behind, so only a walk through the steps
tells. Without a router it is the surge, up to a full second version; the controller of LeaderWorkerSets makes one group less at most.
*/ -}}
{{- define "llm-serving.peak" -}}
{{- $plan := .plan -}}
{{- $most := .most -}}
{{- $peak := add $most (min ($plan.groups | ternary (sub $most 1) $most) $plan.maxSurge) | int -}}
{{- if $plan.recreate -}}
{{- $peak = $most -}}
{{- else if eq $plan.type "blueGreen" -}}
{{- $peak = mul 2 $most | int -}}
{{- else if $plan.routed -}}
{{- $peak = $most -}}
{{- $state := dict "weight" 0 "scale" dict -}}
{{- /* After the last step all traffic moves and the canary is whole. */ -}}
{{- range concat $plan.steps (list (dict "setCanaryScale" (dict "matchTrafficWeight" true) "setWeight" 100)) -}}
{{- $before := $state.weight -}}
{{- if hasKey . "setWeight" -}}
{{- $_ := set $state "weight" (int .setWeight) -}}
{{- end -}}
{{- with .setCanaryScale -}}
{{- $_ := set $state "scale" . -}}
{{- end -}}
{{- $fixed := hasKey $state.scale "replicas" -}}
{{- $weight := hasKey $state.scale "weight" | ternary (int (get $state.scale "weight")) $state.weight -}}
{{- $canary := $fixed | ternary (int (get $state.scale "replicas")) (include "llm-serving.share" (list $weight $most) | int) -}}
{{- /* A fixed canary says nothing about the traffic, so stable stays whole beside it. */ -}}
{{- $left := $plan.dynamic | ternary (min $before $state.weight ($fixed | ternary 0 $weight)) 0 -}}
{{- $stable := include "llm-serving.share" (list (sub 100 $left) $most) | int -}}
{{- $peak = max $peak (add $canary $stable) | int -}}
{{- end -}}
{{- end -}}
{{- $peak -}}
{{- end -}}
