{{- /* drift-cronjob.facts: what several templates read, as YAML. Takes (dict "root" $ "llm" $llm). */ -}}
{{- define "drift-cronjob.facts" -}}
{{- $monitoring := .llm.environment.monitoring -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- /* Not all releases at the same minute: 200 models would ask Prometheus at once. */ -}}
{{- $minute := mod (printf "0x%s" (sha256sum .Release.Name | trunc 6) | int64) 120 -}}
{{- $schedule := $v.schedule | default (printf "%d %d * * *" (mod $minute 60) (add 2 (div $minute 60))) -}}
{{- $url := $v.exporter.url | default (printf "http://%s.%s:%d" $v.exporter.name $monitoring.namespace (int $v.exporter.port)) -}}
name: {{ printf "%s-drift" .Release.Name | quote }}
image: {{ include "llm-common.image" (list $v.image $.llm.environment.registry (.Chart.AppVersion | default .Chart.Version)) | quote }}
schedule: {{ $schedule | quote }}
evaluationName: {{ printf "%s-eval" .Release.Name | quote }}
evaluationSchedule: {{ $v.evaluation.schedule | default (printf "%d %d * * 0" (mod $minute 60) (add 2 (div $minute 60))) | quote }}
feedbackName: {{ printf "%s-rated" .Release.Name | quote }}
feedbackSchedule: {{ $v.feedback.compare.schedule | default (printf "%d %d * * 1" (mod $minute 60) (add 2 (div $minute 60))) | quote }}
endpoint: {{ $v.evaluation.endpoint | default (printf "http://%s" .Release.Name) | quote }}
windowHours: {{ include "drift-cronjob.hours" $v.window }}
offsetHours: {{ include "drift-cronjob.hours" $v.reference.offset }}
exporterUrl: {{ $url | quote }}
{{- /* SERVICE.NAMESPACE… is a Service of the cluster; a bare SERVICE is one of this namespace. */}}
exporterNamespace: {{ regexFind "^https?://[^.:/]+\\.[^.:/]+" $url | splitList "." | last | default .Release.Namespace | quote }}
exporterPort: {{ include "llm-common.urlPort" $url }}
prometheusPort: {{ $v.networkPolicy.prometheusPort | default (include "llm-common.urlPort" $monitoring.prometheusUrl) | int }}
{{- end -}}
{{- end -}}

{{- /* drift-cronjob.hours: a duration such as 24h or 7d in hours. */ -}}
{{- define "drift-cronjob.hours" -}}
{{- hasSuffix "d" . | ternary (mul 24 (trimSuffix "d" . | int)) (trimSuffix "h" . | int) -}}
{{- end -}}
