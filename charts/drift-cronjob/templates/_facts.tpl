{{- /* drift-cronjob.facts: what several templates read, as YAML. Takes (dict "root" $ "llm" $llm). */ -}}
{{- define "drift-cronjob.facts" -}}
{{- $monitoring := .llm.environment.monitoring -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $image := printf "%s:%s" $v.image.repository ($v.image.tag | default .Chart.AppVersion | default .Chart.Version) -}}
{{- with $v.image.registry | default $.llm.environment.registry -}}
{{- $image = printf "%s/%s" . $image -}}
{{- end -}}
{{- with $v.image.digest -}}
{{- $image = printf "%s@%s" $image . -}}
{{- end -}}
{{- /* Not all releases at the same minute: 200 models would ask Prometheus at once. */ -}}
{{- $minute := mod (printf "0x%s" (sha256sum .Release.Name | trunc 6) | int64) 120 -}}
{{- $schedule := $v.schedule | default (printf "%d %d * * *" (mod $minute 60) (add 2 (div $minute 60))) -}}
{{- $url := $v.exporter.url | default (printf "http://%s.%s:%d" $v.exporter.name $monitoring.namespace (int $v.exporter.port)) -}}
name: {{ printf "%s-drift" .Release.Name | quote }}
image: {{ $image | quote }}
schedule: {{ $schedule | quote }}
windowHours: {{ include "drift-cronjob.hours" $v.window }}
offsetHours: {{ include "drift-cronjob.hours" $v.reference.offset }}
exporterUrl: {{ $url | quote }}
{{- /* SERVICE.NAMESPACE… is a Service of the cluster; a bare SERVICE is one of this namespace. */}}
exporterNamespace: {{ regexFind "^https?://[^.:/]+\\.[^.:/]+" $url | splitList "." | last | default .Release.Namespace | quote }}
exporterPort: {{ include "drift-cronjob.port" $url }}
prometheusPort: {{ $v.networkPolicy.prometheusPort | default (include "drift-cronjob.port" $monitoring.prometheusUrl) | int }}
{{- end -}}
{{- end -}}

{{- /* drift-cronjob.hours: a duration such as 24h or 7d in hours. */ -}}
{{- define "drift-cronjob.hours" -}}
{{- hasSuffix "d" . | ternary (mul 24 (trimSuffix "d" . | int)) (trimSuffix "h" . | int) -}}
{{- end -}}

{{- /* drift-cronjob.port: the port of a URL. */ -}}
{{- define "drift-cronjob.port" -}}
{{- regexFind ":[0-9]+" . | trimPrefix ":" | default (hasPrefix "https:" . | ternary 443 80) -}}
{{- end -}}

{{- /* drift-cronjob.pod: what the pods of both scopes have in common. */ -}}
{{- define "drift-cronjob.pod" -}}
automountServiceAccountToken: false
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

{{- /* drift-cronjob.container: and their one container, without its name, command and mounts. Takes (dict "root" $ "facts" $facts). */ -}}
{{- define "drift-cronjob.container" -}}
image: {{ .facts.image | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
resources:
  requests: {cpu: {{ .root.Values.resources.cpu | toString | quote }}, memory: {{ int .root.Values.resources.memoryMiB }}Mi, ephemeral-storage: 16Mi}
  limits: {memory: {{ int .root.Values.resources.memoryMiB }}Mi, ephemeral-storage: 64Mi}
securityContext:
  {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 2 }}
{{- end -}}
