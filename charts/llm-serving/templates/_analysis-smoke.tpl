{{- /* llm-serving.analysisSmoke: the new version is asked what a client would ask, by a Job. */ -}}
{{- define "llm-serving.analysisSmoke" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $jobs := include "llm-common.once" (list . "llm-serving.gateJobs") | get .Values -}}
{{- if and .Values.smoke.enabled $jobs.addressed }}
{{- $labels := dict "root" . "component" "job" "llm" $context.llm }}
{{- $deadline := include "llm-serving.smokeSeconds" . | int }}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ printf "%s-smoke" .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "llm-common.labels" $labels | nindent 4 }}
spec:
  args:
    - name: canary-hash
    - {name: stable-hash, value: ""}
    {{- if $jobs.url }}
    {{- include "llm-serving.gateToken" . | nindent 4 }}
    {{- end }}
  metrics:
    - name: smoke
      failureLimit: 0
      {{- if $jobs.url }}
      consecutiveErrorLimit: 100000
      {{- end }}
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
                {{- include "llm-serving.smokePod" (dict "root" . "context" $context "service" (last $jobs.services) "timeout" .Values.smoke.timeoutSeconds "script" (include "llm-serving.smokeScriptName" .) "gate" $jobs.gate) | nindent 16 }}
    {{- if $jobs.url }}
    - name: smoke-reported
      interval: {{ $jobs.intervalSeconds }}s
      consecutiveSuccessLimit: 1
      failureLimit: 0
      {{- /* The controller wants a count of a metric in a step. With a limit of successes, reaching it is Inconclusive. */}}
      count: {{ add 6 (div $deadline $jobs.intervalSeconds) }}
      inconclusiveLimit: {{ add 6 (div $deadline $jobs.intervalSeconds) }}
      consecutiveErrorLimit: 100000
      {{- include "llm-serving.gateConditions" . | nindent 6 }}
      provider:
        {{- include "llm-serving.gateAnswer" (dict "root" . "kind" "smoke" "url" $jobs.url "policy" (dict "maxAgeSeconds" $deadline)) | nindent 8 }}
    {{- end }}
{{- end }}
{{- end -}}
