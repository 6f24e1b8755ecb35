{{- /* llm-common.image (list $IMAGE REGISTRY TAG): reference of `image` of the values; TAG where it names neither tag nor digest. */ -}}
{{- define "llm-common.image" -}}
{{- $image := index . 0 -}}
{{- with $image.registry | default (index . 1) -}}{{- . }}/{{ end -}}
{{- $image.repository }}:{{ $image.tag | default (index . 2) -}}
{{- with $image.digest -}}@{{ . }}{{- end -}}
{{- end -}}

{{- /* llm-common.urlPort: the port of a URL. */ -}}
{{- define "llm-common.urlPort" -}}
{{- regexFind ":[0-9]+" . | trimPrefix ":" | default (hasPrefix "https:" . | ternary 443 80) -}}
{{- end -}}

{{- /* llm-common.programPod: what the pods of our programs have in common, those that stay and those that end. Takes the root. */ -}}
{{- define "llm-common.programPod" -}}
enableServiceLinks: false
securityContext:
  {{- include "llm-common.podSecurity" (dict "uid" .Values.securityContext.runAsUser "gid" .Values.securityContext.runAsGroup) | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* llm-common.programContainer (dict "root" $ "image" IMAGE "ephemeralMiB" 64): and their one container, without name, command and mounts. */ -}}
{{- define "llm-common.programContainer" -}}
image: {{ .image | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
resources:
  requests: {cpu: {{ .root.Values.resources.cpu | toString | quote }}, memory: {{ int .root.Values.resources.memoryMiB }}Mi, ephemeral-storage: 16Mi}
  limits: {memory: {{ int .root.Values.resources.memoryMiB }}Mi, ephemeral-storage: {{ int .ephemeralMiB }}Mi}
securityContext:
  {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 2 }}
{{- end -}}
