{{- /* llm-serving.qualityPod (dict "root" $ "context" $context "services" (list STABLE CANARY) "gate" (dict …)). */ -}}
{{- define "llm-serving.qualityPod" -}}
{{- $llm := .context.llm -}}
{{- $ctx := . -}}
{{- with .root -}}
{{- $quality := .Values.quality -}}
{{- $port := int .Values.service.port -}}
{{- $image := printf "%s:%s" $quality.image.repository ($quality.image.tag | default .Chart.Version) -}}
{{- with $quality.image.registry | default $llm.environment.registry -}}
{{- $image = printf "%s/%s" . $image -}}
{{- end -}}
{{- with $quality.image.digest -}}
{{- $image = printf "%s@%s" $image . -}}
{{- end -}}
restartPolicy: Never
serviceAccountName: {{ include "llm-serving.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "llm-common.podSecurity" (dict "uid" 65532 "gid" 65532) | nindent 2 }}
{{- include "llm-serving.pullSecrets" . }}
{{- with .Values.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: quality
    image: {{ $image | quote }}
    imagePullPolicy: {{ $quality.image.pullPolicy }}
    command: [python3, -m, llmops.jobs.quality]
    args:
      - {{ printf "--golden=/golden/%s" $quality.goldenSet.key | quote }}
      - {{ printf "--stable=http://%s:%d" (first $ctx.services) $port | quote }}
      - {{ printf "--canary=http://%s:%d" (last $ctx.services) $port | quote }}
      - {{ printf "--model=%s" $llm.model.name | quote }}
      - --concurrency={{ int $quality.concurrency }}
      - --timeout={{ int $quality.timeoutSeconds }}
      - --seed={{ int $quality.seed }}
      - {{ printf "--gate=%s" $ctx.gate.url | quote }}
      - {{ printf "--namespace=%s" .Release.Namespace | quote }}
      - {{ printf "--release=%s" .Release.Name | quote }}
      - {{ printf "--canary-hash=%s" $ctx.gate.canary | quote }}
    env:
      - name: PYTHONDONTWRITEBYTECODE
        value: "1"
      {{- include "llm-serving.gateTokenFile" . | nindent 6 }}
      {{- with include "llm-serving.clientKey" . }}
      {{- . | nindent 6 }}
      {{- end }}
    resources:
      requests: {cpu: 100m, memory: 128Mi, ephemeral-storage: 16Mi}
      limits: {memory: 256Mi, ephemeral-storage: 64Mi}
    securityContext:
      {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 6 }}
    volumeMounts:
      - {name: golden, mountPath: /golden, readOnly: true}
      {{- include "llm-serving.gateTokenMount" . | nindent 6 }}
volumes:
  {{- include "llm-serving.gateTokenVolume" . | nindent 2 }}
  - name: golden
    configMap:
      name: {{ $quality.goldenSet.configMap | quote }}
      {{- /* Then the program says in a sentence what is missing, instead of a pod that never starts. */}}
      optional: true
{{- end -}}
{{- end -}}
