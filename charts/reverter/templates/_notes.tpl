{{- /* reverter.notes: what it does and how to look at it. A define, so that the umbrella can print it. */ -}}
{{- define "reverter.notes" -}}
{{- $ns := .Release.Namespace -}}
Reverter: an aborted release becomes a {{ .Values.push | ternary "push to" "pull request for" }} {{ .Values.git.branch }} of {{ .Values.git.url }}.
   Does it run?            kubectl -n {{ $ns }} get deployment {{ .Values.name }}
   What did it do?         kubectl -n {{ $ns }} logs deploy/{{ .Values.name }}
   Stop it for a while     kubectl -n {{ $ns }} scale deploy/{{ .Values.name }} --replicas 0
{{- end -}}
