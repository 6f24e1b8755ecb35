"""The chart canary-gate: one judge per cluster, and who can reach whom."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel

from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.render.manifest import Object
from llmops.services.gate import __main__ as gate
from llmops.services.gate import cluster
from tests.charts.conftest import CHARTS, ENVIRONMENTS, ROOT, Objects, Render, merge
from tests.charts.network import Pod, pods_of, verdict
from tests.charts.test_drift_cronjob import container, llm

CHART = "canary-gate"
NAME = "llm-canary-gate"
PROMETHEUS = llm(environment={"monitoring": {"prometheusUrl": "http://prometheus.monitoring:9090"}})


def installed(render: Render, *values: dict[str, Any], **target: Any) -> Objects:
    return render(CHART, PROMETHEUS, *values, **{"bare": True, "namespace": "monitoring", **target})


def template(objects: Objects) -> dict[str, Any]:
    return objects.one("Deployment")["spec"]["template"]  # type: ignore[no-any-return]


def test_a_cluster_has_one_gate(render: Render) -> None:
    objects = installed(render)
    own = ("Deployment", "NetworkPolicy", "Service", "ServiceAccount", "ServiceMonitor")
    wide = ("ClusterRole", "ClusterRoleBinding")
    wide += ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    assert objects.kinds() == sorted(
        [(kind, NAME) for kind in own] + [(kind, f"{NAME}.monitoring") for kind in wide]
    )
    deployment = objects.one("Deployment")["spec"]
    # Two would each count looks of their own; even for the time of an update.
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    off = installed(render, {"serviceMonitor": {"enabled": False}, "networkPolicy": {"enabled": False}})
    assert {kind for kind, _ in objects.kinds()} - {kind for kind, _ in off.kinds()} == {
        "NetworkPolicy",
        "ServiceMonitor",
    }


def test_the_program_understands_what_the_chart_tells_it(render: Render) -> None:
    values = {"port": 9000, "prometheus": {"timeoutSeconds": 8}}
    only = container(template(installed(render, values)))
    assert only["command"] == ["python3", "-m", gate.__name__.removesuffix(".__main__")]
    understood = gate.parser({}).parse_args(only["args"])
    assert understood.prometheus == "http://prometheus.monitoring:9090"
    assert (understood.port, understood.timeout) == (9000, 8)
    (mount,) = only["volumeMounts"]
    assert str(understood.folder) == mount["mountPath"]


def test_environments_ask_where_it_listens(render: Render) -> None:
    """Every environment that names a gate names the Service that llm-platform installs with its defaults."""
    named = {}
    for name in ENVIRONMENTS:
        values = yaml.safe_load((ROOT / f"values/environments/{name}.yaml").read_text(encoding="utf-8"))
        facts = values["global"]["llm"]["environment"]
        named[name] = facts.get("gate", {}).get("url", "")
        if named[name]:
            service = installed(render, namespace=facts["monitoring"]["namespace"]).one("Service")
            (port,) = service["spec"]["ports"]
            host = f"{service['metadata']['name']}.{service['metadata']['namespace']}"
            assert named[name] == f"http://{host}:{port['port']}"
    assert [name for name, url in named.items() if url] == ["staging", "prod"]


def test_the_service_leads_to_the_pod_and_is_scraped_with_labels_kept(render: Render) -> None:
    objects = installed(render, {"port": 9000})
    service = objects.one("Service")
    (port,) = service["spec"]["ports"]
    (opened,) = container(template(objects))["ports"]
    assert service["spec"]["selector"].items() <= template(objects)["metadata"]["labels"].items()
    assert (port["port"], port["targetPort"], opened["containerPort"]) == (9000, opened["name"], 9000)
    monitor = objects.one("ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["honorLabels"] is True
    assert endpoint["port"] == port["name"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()


def test_the_gate_may_see_rollouts_write_one_secret_and_ask_whose_a_token_is(render: Render) -> None:
    objects = installed(render)
    rights = {
        (verb, resource, *rule.get("resourceNames", []))
        for rule in objects.one("ClusterRole")["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }
    assert rights == {
        ("get", "rollouts"),
        ("list", "rollouts"),
        ("create", "secrets"),
        ("patch", "secrets", cluster.NAME),
        ("create", "tokenreviews"),
    }
    (subject,) = objects.one("ClusterRoleBinding")["subjects"]
    pod = template(objects)["spec"]
    assert (subject["name"], subject["namespace"]) == (pod["serviceAccountName"], "monitoring")
    policy = objects.one("ValidatingAdmissionPolicy")
    assert f"system:serviceaccount:monitoring:{NAME}" in str(policy["spec"]["matchConditions"])
    assert objects.one("ValidatingAdmissionPolicyBinding")["spec"]["policyName"] == policy["metadata"]["name"]


SECRETS: dict[str, tuple[dict[str, Any], bool]] = {
    "its own": ({"type": "Opaque", "metadata": {"name": cluster.NAME}}, True),
    "another name": ({"type": "Opaque", "metadata": {"name": "bootstrap-token-abcdef"}}, False),
    "a token": ({"type": "kubernetes.io/service-account-token", "metadata": {"name": cluster.NAME}}, False),
}


@pytest.mark.parametrize("case", SECRETS)
def test_the_policy_lets_the_gate_make_its_own_secret_only(render: Render, case: str) -> None:
    secret, may = SECRETS[case]
    (rule,) = installed(render).one("ValidatingAdmissionPolicy")["spec"]["validations"]
    expression = cel.NewEnv(variables={"object": cel.Type.DYN}).compile(rule["expression"])
    assert expression.eval(data={"object": secret}).value() is may


def test_the_pod_is_restricted(render: Render) -> None:
    pod, only = template(installed(render))["spec"], container(template(installed(render)))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert only["resources"]["requests"]["cpu"] == "100m"
    assert only["resources"]["limits"]["memory"] == "512Mi"
    assert only["image"] == "llm-charts/llmops:0.1.0"


def test_what_was_measured_is_kept_on_a_claim_where_one_is_named(render: Render) -> None:
    def volume(**values: Any) -> dict[str, Any]:
        (only,) = template(installed(render, values))["spec"]["volumes"]
        return only  # type: ignore[no-any-return]

    assert "emptyDir" in volume()
    assert volume(existingClaim="rollouts")["persistentVolumeClaim"] == {"claimName": "rollouts"}


def test_the_token_comes_from_a_secret(render: Render) -> None:
    given = installed(render, {"prometheus": {"tokenSecret": {"name": "prometheus"}}})
    variables = {one["name"]: one.get("valueFrom") for one in container(template(given))["env"]}
    assert variables["PROMETHEUS_TOKEN"] == {"secretKeyRef": {"name": "prometheus", "key": "token"}}


def test_it_is_reached_by_controller_prometheus_and_jobs_and_reaches_prometheus(render: Render) -> None:
    objects = installed(render, {"rollouts": {"namespace": "delivery"}}).items
    ((_, gate_pod),) = pods_of(objects, "monitoring")
    job = {"app.kubernetes.io/component": "job"}
    prometheus = Pod("monitoring", {"app": "prometheus"})
    for source, target, port, expected in (
        (Pod("delivery", {"app": "argo-rollouts"}), gate_pod, 8080, "open"),
        (prometheus, gate_pod, 8080, "open"),
        (Pod("llm-prod", job), gate_pod, 8080, "open"),
        (Pod("llm-prod", {"app.kubernetes.io/component": "engine"}), gate_pod, 8080, "shut"),
        (Pod("argo-rollouts", {"app": "argo-rollouts"}), gate_pod, 8080, "shut"),
        (gate_pod, prometheus, 9090, "open"),
        (gate_pod, Pod("kube-system", {"k8s-app": "kube-dns"}), 53, "open"),
        (gate_pod, Pod("kube-system", {"k8s-app": "other"}), 53, "shut"),
        (gate_pod, Pod("llm-prod", {}), 9090, "shut"),
        (gate_pod, Pod("monitoring", {}), 8443, "shut"),
        (gate_pod, "203.0.113.7", 443, "shut"),
        # The API server, wherever it is among the private addresses.
        (gate_pod, "10.0.0.1", 6443, "open"),
    ):
        assert verdict(objects, source, target, port) == expected, (source, target, port)


def test_a_proxy_reaches_it_and_its_port_is_open(render: Render) -> None:
    proxy = {"url": "http://proxy.example.com:3128", "noProxy": []}
    facts = llm(environment={"proxy": proxy, "privateCidrs": ["10.20.0.0/16"]})
    objects = installed(render, facts)
    variables = {one["name"]: one.get("value") for one in container(template(objects))["env"]}
    assert variables["HTTPS_PROXY"] == proxy["url"]
    # The API server is asked by its address.
    assert "$(KUBERNETES_SERVICE_HOST)" in str(variables["NO_PROXY"]).split(",")
    ((_, gate_pod),) = pods_of(objects.items, "monitoring")
    for target, port, expected in (
        ("10.20.0.5", 3128, "open"),
        ("10.30.0.5", 3128, "shut"),
        ("10.20.0.5", 8443, "shut"),
    ):
        assert verdict(objects.items, gate_pod, target, port) == expected, (target, port)


def test_jobs_of_releases_carry_the_label_that_is_admitted(render: Render) -> None:
    cronjob = render("drift-cronjob", PROMETHEUS).one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    assert cronjob["metadata"]["labels"]["app.kubernetes.io/component"] == "job"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no Prometheus": (
        llm(environment={"monitoring": {"prometheusUrl": ""}}),
        'write global: {llm: {environment: {monitoring: {prometheusUrl: "http://prometheus.monitoring:9090"}}}}',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_what_to_write(render: Render, case: str) -> None:
    values, sentence = REFUSED[case]
    with pytest.raises(RefusedError) as refusal:
        installed(render, values)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_objects_are_what_kubernetes_knows(render: Render, version: str) -> None:
    files = sorted((CHARTS / CHART / "ci").glob("*.yaml"))
    assert files
    for path in files:
        for item in render(CHART, yaml.safe_load(path.read_text(encoding="utf-8")), bare=True).items:
            found = Object(item, {}, path.name)
            assert list(violations(found, version)) == []


@pytest.mark.real
def test_unknown_keys_are_refused_by_helm_itself(helm4_path: Path, tmp_path: Path) -> None:
    chart = tmp_path / CHART
    subprocess.run(["cp", "-r", str(CHARTS / CHART), str(chart)], check=True)
    (chart / "charts").mkdir(exist_ok=True)
    subprocess.run(["cp", "-r", str(CHARTS / "llm-common"), str(chart / "charts")], check=True)
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(merge(PROMETHEUS, {"replicas": 2})))
    done = subprocess.run(
        [str(helm4_path), "template", "gate", str(chart), "-f", str(values)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "replicas" in done.stderr


def test_notes_say_what_releases_must_know(render: Render) -> None:
    missing = installed(render, notes=True).notes
    assert 'global: {llm: {environment: {gate: {url: "http://llm-canary-gate.monitoring:8080"}}}}' in missing
    elsewhere = llm(environment={"gate": {"url": "http://gate.other:8080"}})
    assert installed(render, elsewhere, notes=True).notes == missing
    known = llm(environment={"gate": {"url": "http://llm-canary-gate.monitoring:8080"}})
    assert "values/environments" not in installed(render, known, notes=True).notes
