// The custom resources whose schemas are checked, pinned by the module that publishes them. Nothing here is
// built: `make setup` downloads each module, compares it with go.sum and converts its CRDs. Do not run
// `go mod tidy`, it would drop every line; copy the new sums from what the set-up command reports.
// Argo Rollouts stays at the oldest that is supported: 1.10.2 has the same resources but for one optional field of a metric
// (datadog.requestTimeout), and to fetch it takes a newer Go, which `make run` shall not.
module llm-charts/tools/crds

go 1.24

require (
	github.com/argoproj/argo-cd/v3 v3.2.6
	github.com/argoproj/argo-rollouts v1.9.1
	github.com/kedacore/keda/v2 v2.20.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	github.com/traefik/traefik/v3 v3.5.3
	istio.io/api v1.29.1
	sigs.k8s.io/gateway-api v1.4.1
	sigs.k8s.io/gateway-api-inference-extension v1.6.0
	sigs.k8s.io/lws v0.8.0
)
