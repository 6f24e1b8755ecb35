{{- /*
A program of ours that runs beside the models and stays: the objects that each has, told apart by a description. A chart keeps that
description in a define of its own, as YAML, and takes it through llm-common.once:
  name, component, container; image; portName, port; module and args (python3 -m MODULE ARGS); env (a list); livenessSeconds;
  ephemeralMiB; replicas (1) and readyPath (/healthz) of one whose replicas wait for each other; serviceAccount (empty: no token); volume {name, path, claim, size}; files (projected sources, mounted at /secrets); ingress and
  egress (rules of its NetworkPolicy).
image, imagePullSecrets, scheduling, securityContext, resources and serviceMonitor are values of the chart, under these very keys.
*/ -}}
{{- /* llm-common.programMetadata (dict "root" $ "name" NAME "labels" $labels). */ -}}
{{- define "llm-common.programMetadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "llm-common.labels" .labels | nindent 2 }}
{{- end -}}

{{- /* llm-common.program (list KIND $ DESCRIPTION $llm): the object of that kind. */ -}}
{{- define "llm-common.program" -}}
{{- $program := index . 2 -}}
{{- $labels := dict "root" (index . 1) "component" $program.component "llm" (index . 3) -}}
{{- $args := dict "root" (index . 1) "name" $program.name "program" $program "labels" $labels -}}
{{- include (printf "llm-common.program%s" (index . 0)) $args -}}
{{- end -}}

{{- define "llm-common.programDeployment" -}}
{{- $program := .program -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "llm-common.programMetadata" . | nindent 2 }}
spec:
  {{- /* One, where two would each know a part of what was said to them. */}}
  replicas: {{ $program.replicas | default 1 | int }}
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "llm-common.selectorLabels" .labels | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "llm-common.labels" .labels | nindent 8 }}
    spec:
      {{- with $program.serviceAccount }}
      serviceAccountName: {{ . | quote }}
      {{- end }}
      automountServiceAccountToken: {{ not (empty $program.serviceAccount) }}
      {{- include "llm-common.programPod" .root | nindent 6 }}
      containers:
        - name: {{ $program.container }}
          {{- include "llm-common.programContainer" (dict "root" .root "image" $program.image "ephemeralMiB" $program.ephemeralMiB) | nindent 10 }}
          command: [python3, -m, {{ $program.module }}]
          args:
            {{- toYaml $program.args | nindent 12 }}
          env:
            - name: PYTHONDONTWRITEBYTECODE
              value: "1"
            {{- with $program.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - {name: {{ $program.portName }}, containerPort: {{ int $program.port }}, protocol: TCP}
          readinessProbe:
            httpGet: {path: {{ $program.readyPath | default "/healthz" }}, port: {{ $program.portName }}}
            periodSeconds: 5
          livenessProbe:
            httpGet: {path: /healthz, port: {{ $program.portName }}}
            periodSeconds: 20
            timeoutSeconds: {{ int $program.livenessSeconds }}
          volumeMounts:
            - {name: {{ $program.volume.name }}, mountPath: {{ $program.volume.path }}}
            {{- if $program.files }}
            - {name: secrets, mountPath: /secrets, readOnly: true}
            {{- end }}
      volumes:
        - name: {{ $program.volume.name }}
          {{- if $program.volume.claim }}
          persistentVolumeClaim:
            claimName: {{ $program.volume.claim | quote }}
          {{- else }}
          emptyDir: {sizeLimit: {{ $program.volume.size }}}
          {{- end }}
        {{- with $program.files }}
        - name: secrets
          projected:
            {{- /* Its user reads them by the group of the pod. */}}
            defaultMode: 0440
            sources:
              {{- toYaml . | nindent 14 }}
        {{- end }}
{{- end -}}

{{- define "llm-common.programService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "llm-common.programMetadata" . | nindent 2 }}
spec:
  selector:
    {{- include "llm-common.selectorLabels" .labels | nindent 4 }}
  ports:
    - {name: {{ .program.portName }}, port: {{ int .program.port }}, targetPort: {{ .program.portName }}, protocol: TCP}
{{- end -}}

{{- define "llm-common.programServiceMonitor" -}}
{{- $monitor := .root.Values.serviceMonitor -}}
{{- if $monitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- $own := include "llm-common.labels" .labels | fromYaml }}
    {{- toYaml (mergeOverwrite (deepCopy $monitor.labels) $own) | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "llm-common.selectorLabels" .labels | nindent 6 }}
  endpoints:
    - port: {{ .program.portName }}
      path: /metrics
      interval: {{ $monitor.interval }}
      {{- /* The namespace of a series is the release's, not the program's. */}}
      honorLabels: true
{{- end -}}
{{- end -}}

{{- define "llm-common.programNetworkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "llm-common.programMetadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "llm-common.selectorLabels" .labels | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - {port: {{ .program.portName }}, protocol: TCP}
      from:
        {{- toYaml .program.ingress | nindent 8 }}
  egress: {{- if .program.egress }}{{- toYaml .program.egress | nindent 4 }}{{- else }} []{{- end }}
{{- end -}}
{{- end -}}
