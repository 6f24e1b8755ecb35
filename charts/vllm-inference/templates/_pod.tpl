{{- /* vllm-inference.pod (dict "root" $ "context" $context "table" $table "node" "" "role" ""): the pod template of the engine. `node` is leader
or worker where a server has several nodes; a worker answers no requests. `role` is prefill or decode where these are apart. */ -}}
{{- define "vllm-inference.pod" -}}
{{- $ctx := . -}}
{{- $llm := .context.llm -}}
{{- $facts := .context.facts -}}
{{- $table := .table -}}
{{- with .root -}}
{{- $worker := eq $ctx.node "worker" -}}
{{- $labelArgs := dict "root" . "component" (include "llm-serving.component" $ctx) -}}
{{- /* /v1/models answers only when the model is served, but wants the key where there is one: then /health. */ -}}
{{- $ready := empty .Values.engine.apiKey.secret | ternary "/v1/models" "/health" -}}
{{- $scheme := empty .Values.engine.tls.secret | ternary "" ", scheme: HTTPS" -}}
metadata:
  labels:
    {{- /* The chart's own labels win, so that no user label can move a pod out of the selector. No version of the release is among
      them: a new card for the same weights would restart every server. */}}
    {{- $ownLabels := include "llm-common.selectorLabels" $labelArgs | fromYaml }}
    {{- with $ctx.role }}
    {{- /* By these the pool and its picker know them. */}}
    {{- $ownLabels = merge $ownLabels (dict "llm-d.ai/role" . "llm-d.ai/inference-serving" "true") }}
    {{- end }}
    {{- toYaml (mergeOverwrite (deepCopy .Values.podLabels) $ownLabels) | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "llm-serving.serviceAccountName" . | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $facts.graceSeconds }}
  securityContext:
    {{- include "llm-common.podSecurity" (dict "uid" .Values.securityContext.runAsUser "gid" .Values.securityContext.runAsGroup) | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- with .Values.scheduling.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with .Values.scheduling.runtimeClassName }}
  runtimeClassName: {{ . | quote }}
  {{- end }}
  {{- include "llm-serving.placement" $ctx | nindent 2 }}
  {{- with $facts.claimTemplate }}
  resourceClaims:
    - {name: gpu, resourceClaimTemplateName: {{ . | quote }}}
  {{- end }}
  {{- with include "vllm-inference.initContainers" $ctx }}
  initContainers:
    {{- . | trim | nindent 4 }}
  {{- end }}
  containers:
    - name: engine
      image: {{ $facts.image | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- with .Values.engine.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        {{- include "vllm-inference.arguments" $ctx | nindent 8 }}
      env:
        {{- include "vllm-inference.environment" $ctx | nindent 8 }}
      {{- if $worker }}
      {{- /* It has no port to ask; when its process ends the whole server starts anew. It lasts until the leader's last stream. */}}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ add (int .Values.lifecycle.preStopSeconds) (int .Values.lifecycle.longestStreamSeconds) 5 }}
      {{- else }}
      ports:
        {{- /* API and metrics share one port. A second entry with the same number would be a duplicate key
        for server-side apply, so scrapes use this name too. */}}
        - name: http
          containerPort: {{ include "vllm-inference.enginePort" $ctx }}
          protocol: TCP
      startupProbe:
        httpGet: {path: {{ $ready }}, port: http{{ $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: {{ div (int $facts.startupSeconds) 10 }}
      {{- /* Readiness gives up after 15 s, liveness kills after 120 s: a saturated engine loses new requests, not its life. */}}
      readinessProbe:
        httpGet: {path: {{ $ready }}, port: http{{ $scheme }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      livenessProbe:
        httpGet: {path: /health, port: http{{ $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 10
        failureThreshold: 12
      lifecycle:
        preStop:
          sleep:
            seconds: {{ int .Values.lifecycle.preStopSeconds }}
      {{- end }}
      resources:
        {{- include "vllm-inference.resources" $ctx | nindent 8 }}
      securityContext:
        {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" .Values.securityContext.readOnlyRootFilesystem) | nindent 8 }}
      volumeMounts:
        {{- include "vllm-inference.homeMount" $ctx | nindent 8 }}
        - {name: tmp, mountPath: /tmp}
        - {name: shm, mountPath: /dev/shm}
        {{- if or $facts.claim $facts.modelImage }}
        - {name: model, mountPath: {{ $facts.modelFolder }}, readOnly: true}
        {{- end }}
        {{- include "vllm-inference.mounts" $ctx | nindent 8 | trimSuffix "\n        " }}
  volumes:
    - name: home
      {{- if .Values.cache.existingClaim }}
      persistentVolumeClaim:
        claimName: {{ .Values.cache.existingClaim | quote }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ int .Values.cache.sizeGiB }}Gi
      {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 2Gi
    - name: shm
      emptyDir:
        medium: Memory
        sizeLimit: {{ include "llm-serving.gib" .Values.resources.shmGiB }}
    {{- if $facts.downloaded }}
    - name: download
      configMap: {name: {{ printf "%s-download" .Release.Name | quote }}}
    {{- end }}
    {{- with .Values.signature.configMap }}
    - name: signer
      configMap: {name: {{ . | quote }}}
    {{- end }}
    {{- with $facts.modelImage }}
    - name: model
      image: {reference: {{ . | quote }}, pullPolicy: IfNotPresent}
    {{- end }}
    {{- with $facts.claim }}
    - name: model
      persistentVolumeClaim:
        claimName: {{ . | quote }}
        readOnly: true
    {{- end }}
    {{- include "vllm-inference.volumes" $ctx | nindent 4 | trimSuffix "\n    " }}
{{- end }}
{{- end -}}
