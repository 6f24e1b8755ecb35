{{- /* llm-serving.analysisQuality: the new version and stable answer a golden set, asked by a Job. */ -}}
{{- define "llm-serving.analysisQuality" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $jobs := include "llm-common.once" (list . "llm-serving.gateJobs") | get .Values -}}
{{- if and .Values.quality.enabled $jobs.addressed $jobs.url }}
{{- $labels := dict "root" . "component" "job" "llm" $context.llm }}
{{- $quality := .Values.quality }}
{{- $deadline := int $quality.deadlineSeconds }}
{{- $policy := dict "maxAgeSeconds" $deadline }}
{{- range list "margin" "alpha" "minItems" "maxUnanswered" "minStableScore" }}
{{- $policy = set $policy . (get $quality .) }}
{{- end }}
{{- $gateAnswer := include "llm-serving.gateAnswer" (dict "root" . "kind" "quality" "url" $jobs.url "policy" $policy) }}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ printf "%s-quality" .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" $labels | nindent 4 }}
spec:
  args:
    - name: canary-hash
    - {name: stable-hash, value: ""}
    {{- include "llm-serving.gateToken" . | nindent 4 }}
  metrics:
    {{- /* That it could not measure is no fault of the canary, so a failed Job aborts nothing: its report, or that there is
    none, is inconclusive. */}}
    - name: quality-job
      failureLimit: 1
      consecutiveErrorLimit: 100000
      provider:
        job:
          metadata:
            labels:
              {{- include "llm-common.labels" $labels | nindent 14 }}
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: {{ $deadline }}
            ttlSecondsAfterFinished: 86400
            template:
              metadata:
                labels:
                  {{- include "llm-common.labels" $labels | nindent 18 }}
              spec:
                {{- include "llm-serving.qualityPod" (dict "root" . "context" $context "services" $jobs.services "gate" $jobs.gate) | nindent 16 }}
    - name: quality
      interval: {{ $jobs.intervalSeconds }}s
      consecutiveSuccessLimit: 1
      failureLimit: 0
      count: {{ add 6 (div $deadline $jobs.intervalSeconds) }}
      inconclusiveLimit: {{ add 6 (div $deadline $jobs.intervalSeconds) }}
      consecutiveErrorLimit: 100000
      {{- include "llm-serving.gateConditions" . | nindent 6 }}
      provider:
        {{- $gateAnswer | nindent 8 }}
    {{- /* The same question, so that a report without a verdict stops the rollout at once and not after all the waiting that the
    other one has patience for. Here waiting is a failure without a limit; a `fail` is left to the other one, whose abort is the
    right end. */}}
    - name: quality-undecided
      interval: {{ $jobs.intervalSeconds }}s
      consecutiveSuccessLimit: 1
      failureLimit: -1
      {{- /* Never reached: here it would end Failed. */}}
      count: 100000
      inconclusiveLimit: 0
      consecutiveErrorLimit: 100000
      successCondition: len(result) == 1 && result[0] == 1
      failureCondition: len(result) == 1 && (result[0] == 0 || result[0] == -1)
      provider:
        {{- $gateAnswer | nindent 8 }}
{{- end }}
{{- end -}}
