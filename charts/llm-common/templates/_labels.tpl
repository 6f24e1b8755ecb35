{{- /* llm-common.selectorLabels: who is who, for ever. Takes (dict "root" $ "component" "engine").
No user label, no version: a Deployment's and a Rollout's selector cannot be changed. */ -}}
{{- define "llm-common.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- end -}}

{{- /* llm-common.stableLabels: for objects that a controller writes to (Services, TraefikServices of a Rollout).
A label that changes with the chart would make Helm's server-side apply touch them in the middle of a canary. */ -}}
{{- define "llm-common.stableLabels" -}}
{{ include "llm-common.selectorLabels" . }}
app.kubernetes.io/part-of: llm-stack
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
{{- end -}}

{{- /* llm-common.labels: for every other object. Takes (dict "root" $ "component" "engine" "llm" $llm), the shared facts parsed. */ -}}
{{- define "llm-common.labels" -}}
{{ include "llm-common.stableLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- with .llm.release.version }}
app.kubernetes.io/version: {{ . | trunc 63 | quote }}
{{- end }}
{{- end -}}

{{- /* llm-common.engineLabels (dict "root" $ "llm" $llm "component" engine|prefill): what selects servers of this release from any chart of it. */ -}}
{{- define "llm-common.engineLabels" -}}
app.kubernetes.io/name: {{ printf "%s-inference" .llm.engine }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}
