// What the providers of Argo Rollouts make of wrong answers. `make test-providers` runs it in the newest version and in 1.9, the
// oldest that the charts support, with the metrics of a release as the chart renders them ($GATE_MANIFESTS).
package providers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/argoproj/argo-rollouts/metricproviders/prometheus"
	"github.com/argoproj/argo-rollouts/metricproviders/webmetric"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	log "github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"
)

const login = "<html><title>Log in</title><form><input name=user></form></html>"

func vector(values ...string) string {
	samples := make([]string, len(values))
	for n, value := range values {
		samples[n] = fmt.Sprintf(`{"metric": {"n": "%d"}, "value": [1, "%s"]}`, n, value)
	}
	return `{"status": "success", "data": {"resultType": "vector", "result": [` + strings.Join(samples, ",") + `]}}`
}

// What somebody answers, and what the web provider makes of it under the condition `result.outcome == "pass"`.
var answers = map[string]struct {
	status int
	body   string
	web    v1alpha1.AnalysisPhase
}{
	"empty body":         {200, "", v1alpha1.AnalysisPhaseSuccessful},
	"login page":         {200, login, v1alpha1.AnalysisPhaseSuccessful},
	"mesh's page":        {200, "no healthy upstream", v1alpha1.AnalysisPhaseSuccessful},
	"cut JSON":           {200, `{"outcome": "fa`, v1alpha1.AnalysisPhaseSuccessful},
	"redirect to login":  {302, "", v1alpha1.AnalysisPhaseSuccessful},
	"field missing":      {200, `{"status": "fine"}`, v1alpha1.AnalysisPhaseFailed},
	"wrong host":         {200, `["an", "index"]`, v1alpha1.AnalysisPhaseError},
	"mesh's error":       {503, "upstream connect error", v1alpha1.AnalysisPhaseError},
	"a gate that fails":  {200, `{"outcome": "fail"}`, v1alpha1.AnalysisPhaseFailed},
	"a gate that passes": {200, `{"outcome": "pass"}`, v1alpha1.AnalysisPhaseSuccessful},
	"no series":          {200, vector(), v1alpha1.AnalysisPhaseFailed},
	"two series":         {200, vector("1", "1"), v1alpha1.AnalysisPhaseFailed},
	"no number":          {200, vector("NaN"), v1alpha1.AnalysisPhaseFailed},
}

func serve(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/login") {
			fmt.Fprint(w, login)
			return
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/login")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// web asks as the charts do not: by a URL and a condition on its JSON.
func web(t *testing.T, url string) v1alpha1.Measurement {
	t.Helper()
	metric := v1alpha1.Metric{
		Name:             "outcome",
		SuccessCondition: `result.outcome == "pass"`,
		Provider:         v1alpha1.MetricProvider{Web: &v1alpha1.WebMetric{URL: url}},
	}
	client, err := webmetric.NewWebMetricHttpClient(metric)
	if err != nil {
		t.Fatal(err)
	}
	parser, err := webmetric.NewWebMetricJsonParser(metric)
	if err != nil {
		t.Fatal(err)
	}
	return webmetric.NewWebMetricProvider(*log.NewEntry(log.New()), client, parser).Run(&v1alpha1.AnalysisRun{}, metric)
}

func TestWebProviderTakesWhateverIsNoJSONForASuccess(t *testing.T) {
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			if got := web(t, serve(t, answer.status, answer.body)); got.Phase != answer.web {
				t.Errorf("the web provider says %s (%s), not %s", got.Phase, got.Message, answer.web)
			}
		})
	}
}

// gateMetrics are the metrics of a rendered release that ask the gate.
func gateMetrics(t *testing.T) []v1alpha1.Metric {
	t.Helper()
	file := os.Getenv("GATE_MANIFESTS")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("$GATE_MANIFESTS names no file of rendered manifests: %v", err)
	}
	var found []v1alpha1.Metric
	for _, document := range strings.Split(string(text), "\n---") {
		var template v1alpha1.AnalysisTemplate
		if !strings.Contains(document, "kind: AnalysisTemplate") {
			continue
		}
		if err := yaml.Unmarshal([]byte(document), &template); err != nil {
			t.Fatal(err)
		}
		for _, metric := range template.Spec.Metrics {
			if p := metric.Provider.Prometheus; p != nil && strings.HasPrefix(p.Query, "llm_gate_") {
				found = append(found, metric)
			}
			if metric.Provider.Web != nil {
				t.Errorf("%s of %s asks by the web provider", metric.Name, template.Name)
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no AnalysisTemplate of %s asks the gate", file)
	}
	return found
}

func ask(t *testing.T, metric v1alpha1.Metric, url string) v1alpha1.Measurement {
	t.Helper()
	metric.Provider.Prometheus = metric.Provider.Prometheus.DeepCopy()
	metric.Provider.Prometheus.Address = url
	api, err := prometheus.NewPrometheusAPI(metric)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := prometheus.NewPrometheusProvider(api, *log.NewEntry(log.New()), metric)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Run(&v1alpha1.AnalysisRun{}, metric)
}

func TestNoWrongAnswerPassesTheMetricsOfAChart(t *testing.T) {
	metrics := gateMetrics(t)
	for name, answer := range answers {
		url := serve(t, answer.status, answer.body)
		for _, metric := range metrics {
			if got := ask(t, metric, url).Phase; got != v1alpha1.AnalysisPhaseError && got != v1alpha1.AnalysisPhaseInconclusive {
				t.Errorf("%s: %s is %s", name, metric.Name, got)
			}
		}
	}
}

func TestTheGatesOwnAnswerPasses(t *testing.T) {
	url := serve(t, 200, vector("1"))
	for _, metric := range gateMetrics(t) {
		if got := ask(t, metric, url); got.Phase != v1alpha1.AnalysisPhaseSuccessful {
			t.Errorf("%s is %s (%s)", metric.Name, got.Phase, got.Message)
		}
	}
}
