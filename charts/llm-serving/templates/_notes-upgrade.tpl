{{- /* llm-serving.upgradeNotes (dict "root" $ "context" $context): how a new version comes in, what judges it, and what to do when it holds. */ -}}
{{- define "llm-serving.upgradeNotes" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $plan := $facts.plan -}}
{{- with .root -}}
{{- $strategy := .Values.strategy -}}
{{- $name := .Release.Name -}}
{{- $ns := .Release.Namespace -}}
{{- $patch := printf "kubectl -n %s patch rollout %s --subresource=status --type=merge -p" $ns $name -}}
{{- $blueGreen := eq $plan.type "blueGreen" -}}
4. Upgrades: a changed model or engine comes in
{{- if $blueGreen }} by blue-green: tested without traffic, then all requests at once.
{{- else if eq $plan.type "ab" }} as A/B: marked requests get it until a person decides, then a share of all.
{{- else if eq $plan.type "shadow" }} as a shadow: it gets copies of {{ int $strategy.shadow.percent }} % of the requests, then a share of them.
{{- else }} as a canary{{ if $plan.routed }}, its share of the requests given by {{ .Values.trafficRouter }}{{ else }}, its share of the requests by number of servers{{ end }}.
{{- end }}
{{- if not $blueGreen }}
   Steps: {{ include "llm-serving.stepsSummary" $plan.steps }}.
{{- end }}
{{- if $plan.gated }}
   Gates ({{ .Values.gates.signals | join ", " }}) at {{ $llm.environment.gate.url }} stop it{{ if .Values.gates.dryRun }} never: gates.dryRun is set{{ end }}; {{ if $blueGreen }}after the turn they look for{{ else }}each looks for {{ int .Values.gates.looks }} x {{ int .Values.gates.windowSeconds }} s at least{{ if $plan.watchLooks }}, the last one, after 100 %, for{{ end }}{{ end }}{{ with int $plan.watchLooks }} {{ . }} x {{ int $.root.Values.gates.windowSeconds }} s{{ end }}.
   No answer holds it: neither on nor back.
{{- else }}
   No gates: time passes instead{{ if $plan.guarded }}, and only a version that does not start is stopped{{ end }}. They need global.llm.components.monitoring and global.llm.environment.gate.url.
{{- end }}
   Install with --server-side=false (Helm remembers it): the Rollouts controller owns fields of {{ if or $plan.routed $blueGreen }}both Services{{ else }}its objects{{ end }},
   and server-side apply would conflict with it at the second upgrade.
   kubectl -n {{ $ns }} get rollout {{ $name }} -w
   It stands still, and why:   llmops rollout status {{ $name }} -n {{ $ns }}; without it: kubectl -n {{ $ns }} get rollout {{ $name }} -o jsonpath='{.status.message}'; kubectl -n {{ $ns }} get analysisruns
   Go on after a pause:        {{ $patch }} '{"status":{"pauseConditions":null}}'
{{- if not $blueGreen }}
   Go on where a gate could not decide (INDEX is .status.currentStepIndex + 1):
                               {{ $patch }} '{"status":{"pauseConditions":null,"controllerPause":false,"currentStepIndex":INDEX}}'
{{- end }}
   Back to the old version:    {{ $patch }} '{"status":{"abort":true}}'
   Try the new one again:      {{ $patch }} '{"status":{"abort":false}}'
{{- end -}}
{{- end -}}

{{- /* llm-serving.stepsSummary: takes the steps as rendered; one line. */ -}}
{{- define "llm-serving.stepsSummary" -}}
{{- $words := list -}}
{{- range . -}}
{{- if hasKey . "setWeight" -}}
{{- $words = append $words (printf "%d %%" (int .setWeight)) -}}
{{- else if hasKey . "analysis" -}}
{{- $words = append $words (regexFind "[a-z]+$" (first .analysis.templates).templateName) -}}
{{- else if hasKey . "pause" -}}
{{- $words = append $words (empty .pause | ternary "a person" (printf "pause %v" .pause.duration)) -}}
{{- else if hasKey .setCanaryScale "matchTrafficWeight" -}}
{{- else if hasKey .setCanaryScale "replicas" -}}
{{- $words = append $words (printf "%d server%s without traffic" (int .setCanaryScale.replicas) (eq (int .setCanaryScale.replicas) 1 | ternary "" "s")) -}}
{{- else -}}
{{- $words = append $words (printf "%d %% of the servers" (int .setCanaryScale.weight)) -}}
{{- end -}}
{{- end -}}
{{- $words | join ", " -}}
{{- end -}}
