{{- /* llm-serving.analysisStarted: the second guard against a canary that never starts: Argo Rollouts (1.9 and 1.10) forgets its progress deadline once an
earlier rollout was aborted. It runs from the first step on and looks once the start-up budget is over: 1 when a canary
target is up, 0 when only stable is. No data says nothing, and a lost Prometheus aborts nothing. */ -}}
{{- define "llm-serving.analysisStarted" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $llm := $context.llm -}}
{{- $facts := $context.facts -}}
{{- if $facts.plan.guarded }}
{{- $up := printf "count(up{namespace=%q,rollouts_pod_template_hash=\"{{args.%%s}}\"} == 1)" .Release.Namespace }}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ printf "%s-started" .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" (dict "root" . "component" "engine" "llm" $llm) | nindent 4 }}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
  metrics:
    - name: canary-started
      initialDelay: {{ int $facts.startGuardSeconds }}s
      interval: 10s
      count: 3
      successCondition: len(result) > 0 && result[0] >= 1
      failureCondition: len(result) > 0 && result[0] < 1
      failureLimit: 1
      inconclusiveLimit: 3
      consecutiveErrorLimit: 100000
      provider:
        prometheus:
          address: {{ $llm.environment.monitoring.prometheusUrl | quote }}
          query: {{ printf "(%s > bool 0) or (0 * %s)" (printf $up "canary-hash") (printf $up "stable-hash") | quote }}
{{- end }}
{{- end -}}
