{{- /* llm-policies.notes: what is judged where, and how to see it. A define, so that the umbrella can print it. */ -}}
{{- define "llm-policies.notes" -}}
Policies: {{ .Values.mode }} in {{ if .Values.namespaces }}{{ join ", " .Values.namespaces }}{{ else }}namespaces labelled {{ .Values.namespaceLabel }}=true{{ end }}.
{{- range $name, $one := .Values.policies }}
   {{ $name }}: {{ with $one.mode }}{{ . }}{{ else }}{{ $.Values.mode }}{{ end }}{{ with $one.namespaces }} in {{ join ", " . }}{{ end }}
{{- end }}
   Which are there?        kubectl get validatingadmissionpolicybindings -l app.kubernetes.io/instance={{ .Release.Name }}
{{- if not .Values.namespaces }}
   Judge a namespace:      kubectl label namespace NAMESPACE {{ .Values.namespaceLabel }}=true
{{- end }}
   Try it on a manifest:   kubectl apply --dry-run=server -f FILE     (or, without the cluster, llmops check --manifests FILE)
{{- end -}}
