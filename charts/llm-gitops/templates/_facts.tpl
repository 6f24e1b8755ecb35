{{- /* llm-gitops.labels: for every object of this chart. */ -}}
{{- define "llm-gitops.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: llm-gitops
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{- /* llm-gitops.project (list $ ENVIRONMENT): the AppProject of an environment's releases. */ -}}
{{- define "llm-gitops.project" -}}
{{- $root := index . 0 -}}
{{- $root.Values.project.perEnvironment | ternary (printf "%s-%s" $root.Release.Name (index . 1)) $root.Release.Name -}}
{{- end -}}

{{- /*
llm-gitops.kinds: what a release of a model may consist of. Argo CD hides from an Application's tree what its project
does not permit, so the kinds that controllers make (pods, ReplicaSets, analysis runs) stand here too. No Secret, no
RBAC, nothing cluster-wide: a values file cannot bring those in.
*/ -}}
{{- define "llm-gitops.kinds" -}}
{{- range $group, $kinds := dict
  "" (list "ConfigMap" "Pod" "Service" "ServiceAccount")
  "apps" (list "ControllerRevision" "Deployment" "ReplicaSet" "StatefulSet")
  "argoproj.io" (list "AnalysisRun" "AnalysisTemplate" "Experiment" "Rollout")
  "autoscaling" (list "HorizontalPodAutoscaler")
  "batch" (list "CronJob" "Job")
  "discovery.k8s.io" (list "EndpointSlice")
  "gateway.networking.k8s.io" (list "HTTPRoute")
  "inference.networking.k8s.io" (list "InferencePool")
  "keda.sh" (list "ScaledObject" "TriggerAuthentication")
  "leaderworkerset.x-k8s.io" (list "LeaderWorkerSet")
  "monitoring.coreos.com" (list "AlertmanagerConfig" "PodMonitor" "PrometheusRule" "ServiceMonitor")
  "networking.istio.io" (list "VirtualService")
  "networking.k8s.io" (list "Ingress" "NetworkPolicy")
  "policy" (list "PodDisruptionBudget")
  "resource.k8s.io" (list "ResourceClaim" "ResourceClaimTemplate")
  "traefik.io" (list "IngressRoute" "Middleware" "TraefikService") }}
{{- range $kinds }}
- {group: {{ $group | quote }}, kind: {{ . }}}
{{- end }}
{{- end }}
{{- end -}}

{{- /* llm-gitops.destination: takes one environment or platform. */ -}}
{{- define "llm-gitops.destination" -}}
{{- toYaml .cluster }}
namespace: {{ .namespace | quote }}
{{- end -}}

{{- /*
llm-gitops.syncPolicy: takes (dict "sync" "automated|manual" "retry" .Values.retry "options" (list …)).
*/ -}}
{{- define "llm-gitops.syncPolicy" -}}
{{- if eq .sync "automated" }}
automated:
  prune: true
  selfHeal: true
  {{- /* A render of nothing is a mistake, not a wish to delete everything. */}}
  allowEmpty: false
{{- end }}
retry:
  limit: {{ int .retry.limit }}
  {{- /* A commit that repairs a failing sync takes part in its retries. */}}
  refresh: true
  backoff:
    duration: {{ .retry.wait }}
    factor: 2
    maxDuration: {{ .retry.maxWait }}
syncOptions:
  {{- toYaml .options | nindent 2 }}
{{- end -}}
