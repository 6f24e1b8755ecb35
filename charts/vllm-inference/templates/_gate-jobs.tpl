{{- /* vllm-inference.smokeSeconds: what the smoke gate's Job may take, the pull of its image included. */ -}}
{{- define "vllm-inference.smokeSeconds" -}}
{{- add 360 (int .Values.lifecycle.imagePullSeconds) (mul 10 (int .Values.smoke.timeoutSeconds)) -}}
{{- end -}}

{{- /* vllm-inference.smokePod (dict "root" $ "context" $context "service" NAME "timeout" 30 "script" CONFIGMAP "gate" (dict …)):
the pod that asks like a client, for `helm test` and for the smoke gate; with the Python of the engine image. `gate` is empty,
or has `url` and `canary`: then the result is posted there. */ -}}
{{- define "vllm-inference.smokePod" -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $handed := . -}}
{{- with .root -}}
restartPolicy: Never
serviceAccountName: {{ .Release.Name | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "llm-common.podSecurity" (dict "uid" .Values.securityContext.runAsUser "gid" .Values.securityContext.runAsGroup) | nindent 2 }}
{{- include "vllm-inference.pullSecrets" . }}
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
{{- include "vllm-inference.tolerations" (dict "root" . "llm" $llm) }}
containers:
  - name: smoke
    image: {{ $facts.image | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [python3, /test/smoke.py]
    env:
      - name: ENGINE_URL
        value: {{ printf "%s://%s:%d" (empty .Values.engine.tls.secret | ternary "http" "https") $handed.service (int .Values.service.port) | quote }}
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
        value: {{ int $handed.timeout | quote }}
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
      {{- with include "vllm-inference.clientKey" . }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $handed.gate }}
      - name: GATE_URL
        value: {{ .url | quote }}
      - name: NAMESPACE
        value: {{ $handed.root.Release.Namespace | quote }}
      - name: RELEASE
        value: {{ $handed.root.Release.Name | quote }}
      - name: CANARY_HASH
        value: {{ .canary | quote }}
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
volumes:
  - name: test
    configMap:
      name: {{ $handed.script | quote }}
  {{- with .Values.engine.tls.secret }}
  - name: tls
    secret:
      secretName: {{ . | quote }}
      items: [{key: ca.crt, path: ca.crt}]
  {{- end }}
{{- end -}}
{{- end -}}

{{- /* vllm-inference.qualityPod (dict "root" $ "context" $context "services" (list STABLE CANARY) "gate" (dict …)). */ -}}
{{- define "vllm-inference.qualityPod" -}}
{{- $llm := .context.llm -}}
{{- $handed := . -}}
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
serviceAccountName: {{ .Release.Name | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "llm-common.podSecurity" (dict "uid" 65532 "gid" 65532) | nindent 2 }}
{{- include "vllm-inference.pullSecrets" . }}
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
      - {{ printf "--stable=http://%s:%d" (first $handed.services) $port | quote }}
      - {{ printf "--canary=http://%s:%d" (last $handed.services) $port | quote }}
      - {{ printf "--model=%s" $llm.model.name | quote }}
      - --concurrency={{ int $quality.concurrency }}
      - --timeout={{ int $quality.timeoutSeconds }}
      - --seed={{ int $quality.seed }}
      - {{ printf "--gate=%s" $handed.gate.url | quote }}
      - {{ printf "--namespace=%s" .Release.Namespace | quote }}
      - {{ printf "--release=%s" .Release.Name | quote }}
      - {{ printf "--canary-hash=%s" $handed.gate.canary | quote }}
    env:
      - name: PYTHONDONTWRITEBYTECODE
        value: "1"
      {{- with include "vllm-inference.clientKey" . }}
      {{- . | nindent 6 }}
      {{- end }}
    resources:
      requests: {cpu: 100m, memory: 128Mi, ephemeral-storage: 16Mi}
      limits: {memory: 256Mi, ephemeral-storage: 64Mi}
    securityContext:
      {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 6 }}
    volumeMounts:
      - {name: golden, mountPath: /golden, readOnly: true}
volumes:
  - name: golden
    configMap:
      name: {{ $quality.goldenSet.configMap | quote }}
      {{- /* Then the program says in a sentence what is missing, instead of a pod that never starts. */}}
      optional: true
{{- end -}}
{{- end -}}

{{- /* vllm-inference.gateAnswer (dict "root" $ "kind" KIND "url" URL "policy" (dict …)): the provider that asks the gate what came
of a Job. */ -}}
{{- define "vllm-inference.gateAnswer" -}}
web:
  method: POST
  url: {{ printf "%s/v1/results/verdict" .url | quote }}
  timeoutSeconds: 10
  jsonPath: "{$}"
  jsonBody:
    kind: {{ .kind }}
    namespace: {{ .root.Release.Namespace | quote }}
    release: {{ .root.Release.Name | quote }}
    canary: {{ "{{args.canary-hash}}" | quote }}
    policy:
      {{- toYaml .policy | nindent 6 }}
{{- end -}}

{{- /* vllm-inference.gateUrl: takes the shared facts; empty where no gate is named. */ -}}
{{- define "vllm-inference.gateUrl" -}}
{{- (.environment.gate | default dict).url | default "" | trimSuffix "/" -}}
{{- end -}}

{{- define "vllm-inference.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* vllm-inference.clientKey: the key that a client of the engine sends, if it wants one. */ -}}
{{- define "vllm-inference.clientKey" -}}
{{- with .Values.engine.apiKey -}}
{{- if .secret -}}
- name: API_KEY
  valueFrom:
    secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}
{{- end -}}
{{- end -}}
{{- end -}}
