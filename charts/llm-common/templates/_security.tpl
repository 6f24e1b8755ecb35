{{- /* llm-common.podSecurity: the pod half of the restricted Pod Security Standard.
Takes (dict "uid" 2000 "gid" 0); GID 0 owns the writable folders of the engine image and is not forbidden. */ -}}
{{- define "llm-common.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid | int }}
runAsGroup: {{ .gid | int }}
fsGroup: {{ .gid | int }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* llm-common.containerSecurity: the container half. Takes (dict "readOnlyRootFilesystem" true). */ -}}
{{- define "llm-common.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ .readOnlyRootFilesystem }}
capabilities:
  drop: [ALL]
{{- end -}}
