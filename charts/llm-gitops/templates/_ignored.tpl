{{- /*
llm-gitops.ignored: fields that the Rollouts controller writes in the middle of a canary. With RespectIgnoreDifferences a sync
leaves them as they are. Server-side apply is off for the same objects: it owns a Service's selector as a whole and would take the
hash out, and a route's list of backends with the weights in it.

Not here: `replicas` (the charts do not render it while an autoscaler owns it; without one, Git is right), and what controllers
make themselves (AnalysisRuns, ReplicaSets): Argo CD compares only what Git renders.
*/ -}}
{{- define "llm-gitops.ignored" -}}
- group: ""
  kind: Service
  jqPathExpressions: ['.spec.selector["rollouts-pod-template-hash"]']
- group: traefik.io
  kind: TraefikService
  jqPathExpressions: [".spec.weighted.services[]?.weight"]
- group: gateway.networking.k8s.io
  kind: HTTPRoute
  jqPathExpressions:
    - ".spec.rules[]?.backendRefs[]?.weight"
    {{- /* The plugin's mark while a canary runs. */}}
    - '.metadata.labels["rollouts.argoproj.io/gatewayapi-canary"]'
- group: networking.istio.io
  kind: VirtualService
  jqPathExpressions: [".spec.http[]?.route[]?.weight"]
{{- end -}}
