{{- /* llm-serving.analysisGate: what an analysis asks of the canary gate: one metric for each gate, so that an abort names it; all of them are
the same look. It looks until the gate says pass or fail, or until nothing could be said for so long that a person has to. No answer is no verdict, for as long as it takes. */ -}}
{{- define "llm-serving.analysisGate" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $llm := $context.llm -}}
{{- $plan := $context.facts.plan -}}
{{- if and $plan.gated $plan.looks }}
{{- $gates := .Values.gates }}
{{- $interval := min 10 (int $gates.windowSeconds) | max 1 }}
{{- $longest := 0 }}
{{- range $plan.looks }}
{{- $longest = max $longest (int .) | int }}
{{- end }}
{{- $seconds := addf (mulf $longest $gates.windowSeconds) $gates.waitSeconds }}
{{- $policy := dict "gates" $gates.signals "looks" $plan.looks "modes" $plan.modes "alpha" $gates.alpha }}
{{- range list "minRequests" "windowSeconds" "stallSeconds" "downSeconds" }}
{{- $_ := set $policy . (int (get $gates .)) }}
{{- end }}
{{- $_ := set $policy "slo" (pick $llm.slo "e2eP95Seconds" "ttftP95Seconds" "itlP95Seconds" "errorRatio") }}
{{- $policy = toJson $policy }}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ printf "%s-gate" .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $llm) | nindent 4 }}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
    - name: step
    - name: mode
    {{- include "llm-serving.gateToken" . | nindent 4 }}
  {{- if $gates.dryRun }}
  dryRun:
    - metricName: .*
  {{- end }}
  measurementRetention:
    - {metricName: ".*", limit: 20}
  metrics:
    {{- range $gates.signals }}
    - name: {{ . }}
      interval: {{ $interval }}s
      {{- include "llm-serving.gateConditions" $ | nindent 6 }}
      consecutiveSuccessLimit: 1
      failureLimit: 0
      {{- /* The controller wants a count of a metric in a step. With a limit of successes, reaching it is Inconclusive. */}}
      count: {{ divf $seconds $interval | ceil | int }}
      inconclusiveLimit: {{ divf $seconds $interval | ceil | int }}
      consecutiveErrorLimit: 100000
      provider:
        {{- $question := printf `llm_gate_verdict{gate="%s", namespace="%s", release="%s", canary="{{args.canary-hash}}", stable="{{args.stable-hash}}", step="{{args.step}}", mode="{{args.mode}}", policy='%s'}` . $.Release.Namespace $.Release.Name $policy }}
        {{- include "llm-serving.gateQuestion" (dict "url" (include "llm-serving.gateUrl" $llm) "question" $question) | nindent 8 }}
    {{- end }}
{{- end }}
{{- end -}}
