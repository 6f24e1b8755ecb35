{{- /* canary-gate.url: where releases find it. */ -}}
{{- define "canary-gate.url" -}}
{{- printf "http://%s.%s:%d" .Values.name .Release.Namespace (int .Values.port) -}}
{{- end -}}
