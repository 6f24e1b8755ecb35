"""The chart drift-cronjob: a model's check and a cluster's exporter, and that each can reach the other."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.jobs import drift, feedback
from llmops.kubernetes.schema import violations
from llmops.render.manifest import Object
from tests.charts.conftest import CHARTS, Objects, Render, llm, merge
from tests.charts.network import Pod, pods_of, verdict

CHART = "drift-cronjob"
CLUSTER = {"scope": "cluster"}


ON = llm(
    components={"drift": True},
    environment={"monitoring": {"prometheusUrl": "http://prometheus.monitoring:9090"}},
)


def job_pod(objects: Objects) -> dict[str, Any]:
    return objects.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]  # type: ignore[no-any-return]


def container(template: dict[str, Any]) -> dict[str, Any]:
    (only,) = template["spec"]["containers"]
    return only  # type: ignore[no-any-return]


def understood(objects: Objects) -> Any:
    """The arguments as the job's own parser reads them."""
    return drift.parser({}).parse_args(container(job_pod(objects))["args"])


# --- the model's half -------------------------------------------------------------------------------------


def test_a_release_has_a_check_of_its_own_and_no_exporter(render: Render) -> None:
    objects = render(CHART, ON, name="qwen", namespace="models")
    assert objects.kinds() == [("CronJob", "qwen-drift"), ("NetworkPolicy", "qwen-drift")]


def test_the_job_understands_what_the_chart_tells_it(render: Render) -> None:
    arguments = understood(render(CHART, ON, llm(slo={"driftScore": 0.4}), name="qwen", namespace="models"))
    assert (arguments.namespace, arguments.release, arguments.model) == ("models", "qwen", "demo")
    assert arguments.prometheus == "http://prometheus.monitoring:9090"
    assert (arguments.window, arguments.offset, arguments.reference) == ("24h", "7d", None)
    assert arguments.threshold == 0.4
    assert arguments.exporter == "http://llm-drift-exporter.monitoring:8080"
    settings = drift.settings_of(arguments)
    assert (settings.min_samples, settings.min_bin_share, settings.min_coverage) == (1000, 0.02, 0.9)
    assert settings.signals == ("prompt_tokens", "generation_tokens", "finished_reason", "volume")


def test_a_recorded_reference_replaces_the_window_before(render: Render) -> None:
    # The offset counts no more, so it may be short.
    values = {"reference": {"configMap": "march", "offset": "1h"}}
    objects = render(CHART, ON, values)
    arguments = understood(objects)
    pod = job_pod(objects)["spec"]
    (mount,) = container(job_pod(objects))["volumeMounts"]
    (volume,) = pod["volumes"]
    assert arguments.reference == Path(mount["mountPath"]) / "reference.json"
    assert (volume["name"], volume["configMap"]["name"]) == (mount["name"], "march")


def test_a_run_ends_and_two_never_overlap(render: Render) -> None:
    spec = render(CHART, ON).one("CronJob")["spec"]
    job = spec["jobTemplate"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 1)
    assert (spec["startingDeadlineSeconds"], job["activeDeadlineSeconds"]) == (3600, 600)
    assert (job["backoffLimit"], job["ttlSecondsAfterFinished"]) == (2, 172800)
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_releases_ask_at_different_minutes_and_keep_them(render: Render) -> None:
    def schedule(name: str, **values: Any) -> str:
        return str(render(CHART, ON, values, name=name).one("CronJob")["spec"]["schedule"])

    seen = {name: schedule(name) for name in (f"model-{number}" for number in range(20))}
    assert seen == {name: schedule(name) for name in seen}
    assert len(set(seen.values())) >= 15
    for text in seen.values():
        minute, hour, *rest = text.split()
        assert (0 <= int(minute) < 60, hour in ("2", "3"), rest) == (True, True, ["*"] * 3)
    assert schedule("model-1", schedule="@weekly") == "@weekly"


def test_the_token_comes_from_a_secret(render: Render) -> None:
    def environment(**values: Any) -> dict[str, Any]:
        found = container(job_pod(render(CHART, ON, values)))["env"]
        return {one["name"]: one.get("value", one.get("valueFrom")) for one in found}

    assert "PROMETHEUS_TOKEN" not in environment()
    given = environment(prometheus={"tokenSecret": {"name": "prometheus"}})
    assert given["PROMETHEUS_TOKEN"] == {"secretKeyRef": {"name": "prometheus", "key": "token"}}


def test_the_alert_on_missed_runs_finds_the_release_in_the_name(render: Render) -> None:
    """Its rule takes `(.+)-drift` of the CronJob's name for the release."""
    text = (CHARTS / "alert-rules/files/drift.yaml").read_text(encoding="utf-8")
    assert '"release", "$1", "cronjob", "(.+)-drift"' in text
    assert render(CHART, ON, name="qwen3-8b").one("CronJob")["metadata"]["name"] == "qwen3-8b-drift"


# --- the cluster's half -----------------------------------------------------------------------------------


def test_a_cluster_has_one_exporter_and_needs_no_model(render: Render) -> None:
    name = "llm-drift-exporter"
    objects = render(CHART, CLUSTER, bare=True, name="platform", namespace="monitoring")
    assert objects.kinds() == [
        ("Deployment", name),
        ("NetworkPolicy", name),
        ("Service", name),
        ("ServiceMonitor", name),
    ]
    deployment = objects.one("Deployment")["spec"]
    # Two would each show half of the results.
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    without = render(CHART, CLUSTER, {"serviceMonitor": {"enabled": False}}, bare=True)
    assert "ServiceMonitor" not in dict(without.kinds())


def test_the_job_posts_to_the_service_that_the_exporter_listens_on(render: Render) -> None:
    values = {"exporter": {"name": "drift-results", "port": 9000}}
    facts = llm(environment={"monitoring": {"namespace": "observability"}})
    model = render(CHART, ON, facts, values)
    cluster = render(CHART, CLUSTER, facts, values, bare=True, namespace="observability")
    service = cluster.one("Service")
    template = cluster.one("Deployment")["spec"]["template"]
    (port,) = service["spec"]["ports"]
    assert understood(model).exporter == f"http://{service['metadata']['name']}.observability:{port['port']}"
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    (open_port,) = container(template)["ports"]
    assert (port["targetPort"], open_port["containerPort"]) == (open_port["name"], 9000)
    assert f"--port={open_port['containerPort']}" in container(template)["args"]


def test_the_scrape_keeps_the_namespace_of_the_release(render: Render) -> None:
    objects = render(CHART, CLUSTER, bare=True)
    spec = objects.one("ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    assert endpoint["honorLabels"] is True
    assert spec["selector"]["matchLabels"].items() <= objects.one("Service")["metadata"]["labels"].items()
    assert endpoint["port"] == objects.one("Service")["spec"]["ports"][0]["name"]


def test_results_are_kept_on_a_claim_where_one_is_named(render: Render) -> None:
    def volume(**values: Any) -> dict[str, Any]:
        template = render(CHART, CLUSTER, values, bare=True).one("Deployment")["spec"]["template"]
        (only,) = template["spec"]["volumes"]
        (mount,) = container(template)["volumeMounts"]
        assert f"--folder={mount['mountPath']}" in container(template)["args"]
        return only  # type: ignore[no-any-return]

    assert "emptyDir" in volume()
    kept = volume(exporter={"existingClaim": "drift"})
    assert kept["persistentVolumeClaim"] == {"claimName": "drift"}


def test_feedback_is_taken_where_it_is_switched_on(render: Render) -> None:
    values = {
        "feedback": {
            "enabled": True,
            "clientsSecret": {"name": "who"},
            "existingClaim": "opinions",
            "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        }
    }
    objects = render(CHART, CLUSTER, values, bare=True)
    own = [kind for kind, name in objects.kinds() if name == "llm-feedback"]
    assert own == ["Deployment", "NetworkPolicy", "Service", "ServiceMonitor"]
    by_kind = {kind: objects.one(kind, "llm-feedback")["spec"] for kind in own}
    template = by_kind["Deployment"]["template"]
    assert container(template)["command"] == ["python3", "-m", "llmops.services.feedback"]
    assert container(template)["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["name"]: mount["mountPath"] for mount in container(template)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert volumes["feedback"]["persistentVolumeClaim"] == {"claimName": "opinions"}
    assert f"--folder={mounts['feedback']}" in container(template)["args"]
    assert f"--clients={mounts['secrets']}/clients.jsonl" in container(template)["args"]
    (rule,) = by_kind["NetworkPolicy"]["ingress"]
    assert {"ipBlock": {"cidr": "10.0.0.0/8"}} in rule["from"]
    # What it takes stays there.
    assert by_kind["NetworkPolicy"]["egress"] == []
    with pytest.raises(
        RefusedError, match=r"feedback\.clientsSecret\.name is empty, so nobody could send feedback"
    ):
        render(CHART, CLUSTER, {"feedback": {"enabled": True}}, bare=True)


def test_ratings_are_compared_where_it_is_switched_on(render: Render) -> None:
    objects = render(CHART, ON, {"feedback": {"compare": {"enabled": True, "margin": 0.1}}})
    job = objects.one("CronJob", "demo-rated")["spec"]["jobTemplate"]["spec"]["template"]
    only = container(job)
    assert only["command"] == ["python3", "-m", "llmops.jobs.feedback"]
    parsed = feedback.parser({}).parse_args(only["args"])
    assert (parsed.release, parsed.margin, parsed.window, parsed.exit_zero) == ("demo", 0.1, "7d", True)
    # The policy of the release's jobs lets it out.
    selector = objects.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert selector.items() <= job["metadata"]["labels"].items()
    with pytest.raises(RefusedError, match="which names objects of the release qwen"):
        render(CHART, ON, {"feedback": {"compare": {"enabled": True}}}, name="qwen-rated")


def test_texts_come_from_a_claim_and_need_one(render: Render) -> None:
    signals = ["prompt_tokens", "languages"]
    template = job_pod(render(CHART, ON, {"signals": signals, "sample": {"existingClaim": "texts"}}))
    assert "--sample=/sample/sample.jsonl" in container(template)["args"]
    assert "--signals=prompt_tokens,languages" in container(template)["args"]
    (volume,) = template["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "texts", "readOnly": True}
    assert container(template)["volumeMounts"] == [
        {"name": "sample", "mountPath": "/sample", "readOnly": True}
    ]
    with pytest.raises(RefusedError, match="the signal languages is counted in texts"):
        render(CHART, ON, {"signals": signals})


# --- both -------------------------------------------------------------------------------------------------


def pods(render: Render) -> list[dict[str, Any]]:
    return [
        job_pod(render(CHART, ON)),
        render(CHART, CLUSTER, bare=True).one("Deployment")["spec"]["template"],
    ]


def test_pods_meet_the_restricted_standard_and_hold_no_token(render: Render) -> None:
    for template in pods(render):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(template)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container(template)["resources"]["requests"]["cpu"] == "50m"
        assert container(template)["resources"]["limits"]["memory"] == "128Mi"


def test_the_programs_are_there(render: Render) -> None:
    for template, module in zip(pods(render), (drift.__name__, "llmops.services.results"), strict=True):
        assert container(template)["command"] == ["python3", "-m", module]


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "llm-charts/llmops:0.1.0"),
        (
            llm(environment={"registry": "mirror.example.com/m"}),
            "mirror.example.com/m/llm-charts/llmops:0.1.0",
        ),
        (
            {"image": {"registry": "r.example.com", "tag": "dev", "digest": "sha256:" + "a" * 64}},
            "r.example.com/llm-charts/llmops:dev@sha256:" + "a" * 64,
        ),
    ],
)
def test_the_image_of_both_is_one(render: Render, values: dict[str, Any], image: str) -> None:
    assert container(job_pod(render(CHART, ON, values)))["image"] == image
    deployment = render(CHART, CLUSTER, values, bare=True).one("Deployment")
    assert container(deployment["spec"]["template"])["image"] == image


PROMETHEUS = Pod("monitoring", {"app": "prometheus"})
STRANGER = Pod("llm-prod", {"app": "stranger"})


@pytest.mark.parametrize("url", ["", "http://llm-drift-exporter.other.svc.cluster.local:8080"])
def test_policies_let_through_what_is_needed_and_nothing_else(render: Render, url: str) -> None:
    space = "other" if url else "monitoring"
    model = render(CHART, ON, {"exporter": {"url": url}}, namespace="llm-prod").items
    cluster = render(CHART, CLUSTER, bare=True, name="platform", namespace=space).items
    ((_, job),) = pods_of(model, "llm-prod")
    ((_, shown),) = pods_of(cluster, space)
    for source, target, port, expected in (
        (job, shown, 8080, "open"),
        (PROMETHEUS, shown, 8080, "open"),
        (job, PROMETHEUS, 9090, "open"),
        (job, STRANGER, 8080, "shut"),
        (job, STRANGER, 9090, "shut"),
        (job, "203.0.113.7", 443, "shut"),
        (STRANGER, shown, 8080, "shut"),
        (STRANGER, job, 8080, "shut"),
        (shown, PROMETHEUS, 9090, "shut"),
        (shown, "203.0.113.7", 443, "shut"),
    ):
        assert verdict([*model, *cluster], source, target, port) == expected, (source, target, port)
    off = {"networkPolicy": {"enabled": False}}
    assert "NetworkPolicy" not in dict(render(CHART, ON, off).kinds() + render(CHART, CLUSTER, off).kinds())


@pytest.mark.parametrize(
    ("facts", "dns", "port"),
    [
        ({}, Pod("kube-system", {"k8s-app": "kube-dns"}), 53),
        (
            {
                "namespace": "openshift-dns",
                "podLabel": "dns.operator.openshift.io/daemonset-dns=default",
                "ports": [5353],
            },
            Pod("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"}),
            5353,
        ),
    ],
    ids=["usual", "openshift"],
)
def test_names_are_asked_of_the_dns_of_the_cluster_alone(
    render: Render, facts: dict[str, Any], dns: Pod, port: int
) -> None:
    policies = render(CHART, ON, llm(environment={"dns": facts}), namespace="llm-prod").items
    ((_, job),) = pods_of(policies, "llm-prod")
    for target, expected in (
        (dns, "open"),
        ("169.254.20.10", "open"),
        (Pod(dns.namespace, {"k8s-app": "other"}), "shut"),
        (Pod("llm-prod", dns.labels), "shut"),
        ("203.0.113.53", "shut"),
    ):
        for protocol in ("UDP", "TCP"):
            assert verdict(policies, job, target, port, protocol) == expected, (target, protocol)


@pytest.mark.parametrize(
    ("url", "given", "port"),
    [
        ("https://prometheus.example.com", None, 443),
        ("http://prometheus.monitoring/prefix", None, 80),
        ("http://prometheus.monitoring", 9090, 9090),
    ],
)
def test_egress_opens_the_port_that_prometheus_listens_on(
    render: Render, url: str, given: int | None, port: int
) -> None:
    facts = llm(environment={"monitoring": {"prometheusUrl": url}})
    objects = render(CHART, ON, facts, {"networkPolicy": {"prometheusPort": given}}).items
    ((_, job),) = pods_of(objects, "default")
    assert verdict(objects, job, PROMETHEUS, port) == "open"


@pytest.mark.parametrize(
    ("url", "target", "port"),
    [
        ("http://vmselect.observability:8481/select/0/prometheus", Pod("observability", {}), 8481),
        ("http://thanos.metrics.svc.cluster.local:9090", Pod("metrics", {}), 9090),
        ("https://arms.example.com:9443/api-key", "203.0.113.7", 9443),
    ],
)
def test_prometheus_may_be_outside_the_monitoring_namespace(
    render: Render, url: str, target: Any, port: int
) -> None:
    facts = llm(environment={"monitoring": {"prometheusUrl": url}})
    objects = render(CHART, ON, facts).items
    ((_, job),) = pods_of(objects, "default")
    assert verdict(objects, job, target, port) == "open"
    if "svc" in url:
        assert verdict(objects, job, PROMETHEUS, port) == "shut"


def test_an_address_of_the_api_is_refused_since_the_job_adds_it(render: Render) -> None:
    for path in ("/api/v1", "/api/v1/query", "/graph/"):
        facts = llm(environment={"monitoring": {"prometheusUrl": f"http://prometheus.monitoring:9090{path}"}})
        with pytest.raises(RefusedError, match=r'prometheusUrl: "http://prometheus\.monitoring:9090"'):
            render(CHART, ON, facts)


def test_a_proxy_reaches_the_job_and_its_port_is_open(render: Render) -> None:
    proxy = {"url": "http://proxy.corp.example.com:3128", "noProxy": [".corp.example.com"]}
    objects = render(CHART, ON, llm(environment={"proxy": proxy}))
    variables = {one["name"]: one["value"] for one in container(job_pod(objects))["env"]}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        assert variables[name] == proxy["url"]
    assert variables["NO_PROXY"] == variables["no_proxy"]
    # What lies in the cluster is asked directly.
    for host in (
        "prometheus.monitoring",
        "llm-drift-exporter.monitoring",
        "any.llm.svc",
        "x.corp.example.com",
    ):
        assert urllib.request.proxy_bypass_environment(host, {"no": variables["NO_PROXY"]}), host
    ((_, job),) = pods_of(objects.items, "default")
    for target, port, expected in (
        ("10.20.0.5", 3128, "open"),
        ("203.0.113.7", 3128, "open"),
        ("169.254.169.254", 3128, "shut"),
        ("203.0.113.7", 443, "shut"),
    ):
        assert verdict(objects.items, job, target, port) == expected, (target, port)


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_objects_are_what_kubernetes_knows(render: Render, version: str) -> None:
    for path in sorted((CHARTS / CHART / "ci").glob("*.yaml")):
        for item in render(CHART, yaml.safe_load(path.read_text(encoding="utf-8")), bare=True).items:
            found = Object(item, {}, path.name)
            assert list(violations(found, version)) == []


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no Prometheus": (
        llm(environment={"monitoring": {"prometheusUrl": ""}}),
        "demo",
        'write global: {llm: {environment: {monitoring: {prometheusUrl: "http://prometheus.monitoring:9090"}}}}',
    ),
    "no model": (llm(model={"name": ""}), "demo", "global.llm.model.name is empty"),
    "overlap": (
        {"window": "2d", "reference": {"offset": "47h"}},
        "demo",
        "reference.offset 47h is shorter than window 2d",
    ),
    "long name": ({}, "a" * 47, "choose a release name of at most 46"),
    "name of another's object": ({}, "qwen-drift", "which names objects of the release qwen"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_what_to_write(render: Render, case: str) -> None:
    values, name, sentence = REFUSED[case]
    with pytest.raises(RefusedError) as refusal:
        render(CHART, ON, values, name=name)
    assert sentence in str(refusal.value)
    # In the umbrella the keys are those that its reader writes.
    if case == "overlap":
        with pytest.raises(RefusedError, match=r"drift-cronjob: \{reference: \{offset: 2d\}\}"):
            render("llm-stack", ON, {CHART: values}, name=name)
    assert render(CHART, CLUSTER, bare=True, name=name)  # Nothing of it concerns a cluster.


@pytest.mark.real
def test_unknown_keys_are_refused_by_helm_itself(helm4_path: Path, tmp_path: Path) -> None:
    chart = tmp_path / CHART
    copied = subprocess.run(["cp", "-r", str(CHARTS / CHART), str(chart)], check=True)
    assert copied.returncode == 0
    (chart / "charts").mkdir(exist_ok=True)
    subprocess.run(["cp", "-r", str(CHARTS / "llm-common"), str(chart / "charts")], check=True)
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(merge(ON, llm(model={"name": "demo"}), {"windows": "24h"})))
    done = subprocess.run(
        [str(helm4_path), "template", "demo", str(chart), "-f", str(values)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "windows" in done.stderr


def test_the_umbrella_switches_it_with_one_bit(render: Render) -> None:
    assert "CronJob" not in dict(render("llm-stack").kinds())
    on = render("llm-stack", ON, {CHART: {"minSamples": 2000}}, notes=True, name="qwen")
    assert understood(on).min_samples == 2000
    assert "kubectl -n default create job qwen-drift-now --from=cronjob/qwen-drift" in on.notes
    # The umbrella's objects are those of the chart alone, and the engine keeps its own.
    alone = render(CHART, ON, {"minSamples": 2000}, name="qwen").items
    engine = render("vllm-inference", ON, name="qwen").items
    assert sorted(map(str, on.items)) == sorted(map(str, [*alone, *engine]))


def test_notes_of_the_exporter_say_where_releases_look(render: Render) -> None:
    fine = render(CHART, CLUSTER, bare=True, namespace="monitoring", notes=True).notes
    assert "http://llm-drift-exporter.monitoring:8080/metrics" in fine
    assert "Write in each" not in fine
    elsewhere = render(CHART, CLUSTER, bare=True, namespace="platform", notes=True).notes
    assert 'drift-cronjob: {exporter: {url: "http://llm-drift-exporter.platform:8080"}}' in elsewhere


def test_a_service_of_the_same_namespace_is_reached_by_its_bare_name(render: Render) -> None:
    values = {"exporter": {"url": "http://results:8080"}}
    objects = render(CHART, ON, values, namespace="llm-prod").items
    ((_, job),) = pods_of(objects, "llm-prod")
    labels = {"app.kubernetes.io/name": CHART, "app.kubernetes.io/component": "exporter"}
    assert verdict(objects, job, Pod("llm-prod", labels), 8080) == "open"
    assert verdict(objects, job, Pod("monitoring", labels), 8080) == "shut"
