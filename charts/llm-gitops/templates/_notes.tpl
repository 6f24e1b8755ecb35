{{- /* llm-gitops.notes: what was set up, and how to see it work. */ -}}
{{- define "llm-gitops.notes" -}}
Argo CD follows {{ .Values.git.url }}, folder {{ .Values.git.values }}:
{{- range .Values.environments }}
   {{ .name }}: {{ .sync | default "automated" }} sync of {{ .revision | default $.Values.git.revision }} to namespace {{ .namespace }} of {{ .cluster.name | default .cluster.server }}
{{- end }}
See the releases:
   kubectl -n {{ .Release.Namespace }} get applications -L llm-stack/environment,llm-stack/model,app.kubernetes.io/version
None there? What the generator says:
   kubectl -n {{ .Release.Namespace }} get applicationsets -o jsonpath='{range .items[*]}{.metadata.name}{": "}{.status.conditions[?(@.type=="ErrorOccurred")].message}{"\n"}{end}'
{{- end -}}
