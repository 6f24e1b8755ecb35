{{- /* llm-serving.smokeSeconds: what the smoke gate's Job may take, the pull of its image included. */ -}}
{{- define "llm-serving.smokeSeconds" -}}
{{- add 360 (int .Values.lifecycle.imagePullSeconds) (mul 10 (int .Values.smoke.timeoutSeconds)) -}}
{{- end -}}

{{- /* llm-serving.smokePod (dict "root" $ "context" $context "service" NAME "timeout" 30 "script" CONFIGMAP "gate" (dict …)):
the pod that asks like a client, for `helm test` and for the smoke gate; with the Python of the engine image. `gate` is empty,
or has `url` and `canary`: then the result is posted there. */ -}}
{{- define "llm-serving.smokePod" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $ctx := . -}}
{{- with .root -}}
restartPolicy: Never
serviceAccountName: {{ include "llm-serving.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "llm-common.podSecurity" (dict "uid" .Values.securityContext.runAsUser "gid" .Values.securityContext.runAsGroup) | nindent 2 }}
{{- include "llm-serving.pullSecrets" . }}
{{- /* Beside an engine, where the image already is. */}}
affinity:
  podAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "llm-common.selectorLabels" (dict "root" . "component" "engine" "llm" $llm) | nindent 14 }}
{{- include "llm-serving.tolerations" (dict "root" . "llm" $llm) }}
containers:
  - name: smoke
    image: {{ $facts.image | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [python3, /test/smoke.py]
    env:
      - name: ENGINE_URL
        value: {{ printf "%s://%s:%d" (empty .Values.engine.tls.secret | ternary "http" "https") $ctx.service (int .Values.service.port) | quote }}
      {{- if .Values.engine.tls.secret }}
      - name: SSL_CERT_FILE
        value: /tls/ca.crt
      {{- end }}
      {{- /* Beside an engine there are GPUs; the engine image would ask the runtime for all of them. */}}
      - name: NVIDIA_VISIBLE_DEVICES
        value: void
      - name: PYTHONUTF8
        value: "1"
      - name: MODEL_NAME
        value: {{ $llm.model.name | quote }}
      - name: TIMEOUT_SECONDS
        value: {{ int $ctx.timeout | quote }}
      {{- with .Values.smoke.latencySeconds }}
      - name: LATENCY_SECONDS
        value: {{ . | toString | quote }}
      {{- end }}
      {{- with .Values.engine.maxModelLen }}
      - name: MAX_MODEL_LEN
        value: {{ int . | quote }}
      {{- end }}
      {{- with .Values.smoke.tokenizerFingerprint }}
      - name: TOKENIZER_FINGERPRINT
        value: {{ . | quote }}
      {{- end }}
      {{- if .Values.smoke.jsonMode }}
      - name: JSON_MODE
        value: "1"
      {{- end }}
      {{- with include "llm-serving.clientKey" . }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $ctx.gate }}
      - name: GATE_URL
        value: {{ .url | quote }}
      - name: NAMESPACE
        value: {{ $ctx.root.Release.Namespace | quote }}
      - name: RELEASE
        value: {{ $ctx.root.Release.Name | quote }}
      - name: CANARY_HASH
        value: {{ .canary | quote }}
      {{- include "llm-serving.gateTokenFile" . | nindent 6 }}
      {{- end }}
    resources:
      requests: {cpu: 100m, memory: 64Mi, ephemeral-storage: 16Mi}
      limits: {memory: 256Mi, ephemeral-storage: 64Mi}
    securityContext:
      {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" .Values.securityContext.readOnlyRootFilesystem) | nindent 6 }}
    volumeMounts:
      - {name: test, mountPath: /test, readOnly: true}
      {{- if .Values.engine.tls.secret }}
      - {name: tls, mountPath: /tls, readOnly: true}
      {{- end }}
      {{- if $ctx.gate }}
      {{- include "llm-serving.gateTokenMount" . | nindent 6 }}
      {{- end }}
volumes:
  - name: test
    configMap:
      name: {{ $ctx.script | quote }}
  {{- if $ctx.gate }}
  {{- include "llm-serving.gateTokenVolume" . | nindent 2 }}
  {{- end }}
  {{- with .Values.engine.tls.secret }}
  - name: tls
    secret:
      secretName: {{ . | quote }}
      items: [{key: ca.crt, path: ca.crt}]
  {{- end }}
{{- end -}}
{{- end -}}
