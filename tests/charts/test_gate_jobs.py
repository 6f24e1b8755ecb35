"""The gates `smoke` and `quality` of vllm-inference: what is asked, of whom, and what each answer does."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from llmops.findings import RefusedError
from llmops.gates.quality import read_policy
from llmops.jobs import quality
from llmops.kubernetes.schema import known, violations
from llmops.render.manifest import Object
from llmops.services.gate.cluster import AUDIENCE
from llmops.services.gate.question import RESULT, read_query, read_result_question
from llmops.services.gate.server import VALUES
from tests.charts.conftest import CHARTS, Objects, Render, merge

CHART = "vllm-inference"
HASH = "{{args.canary-hash}}"
GATE = "http://llm-canary-gate.monitoring:8080"
ROUTED = {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}
GATED = {"global": {"llm": {"environment": {"gate": {"url": GATE}}}}}
GOLDEN = {"quality": {"enabled": True, "goldenSet": {"configMap": "capitals"}}}
BLUE_GREEN = {"strategy": {"type": "blueGreen"}}
ALL = merge(ROUTED, GATED, GOLDEN)


def metrics(objects: Objects, gate: str, name: str = "demo") -> dict[str, dict[str, Any]]:
    """The metrics of RELEASE-smoke or RELEASE-quality by name."""
    found = objects.one("AnalysisTemplate", f"{name}-{gate}")["spec"]["metrics"]
    return {metric["name"]: metric for metric in found}


def job(metric: dict[str, Any]) -> dict[str, Any]:
    return metric["provider"]["job"]  # type: ignore[no-any-return]


def pod(metric: dict[str, Any]) -> dict[str, Any]:
    return job(metric)["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def environment(metric: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod(metric)["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def gates(objects: Objects) -> list[str]:
    names = [name for kind, name in objects.kinds() if kind == "AnalysisTemplate"]
    return [name for name in names if name.endswith(("-smoke", "-quality"))]


# --- when there are such gates -----------------------------------------------------------------------------------


def test_gates_need_a_version_that_can_be_addressed(render: Render) -> None:
    assert gates(render(CHART)) == []
    assert gates(render(CHART, {"workload": "Deployment"})) == []
    assert gates(render(CHART, ROUTED)) == ["demo-smoke"]
    assert gates(render(CHART, BLUE_GREEN)) == ["demo-smoke"]
    assert gates(render(CHART, ALL)) == ["demo-quality", "demo-smoke"]
    assert gates(render(CHART, ROUTED, {"smoke": {"enabled": False}})) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"trafficRouter": "none"},
            "write trafficRouter: traefik, gatewayAPI or istio, or strategy: {type: blueGreen}",
        ),
        ({"workload": "Deployment"}, "a Deployment has no canary to compare with stable"),
        (
            {"global": {"llm": {"environment": {"gate": {"url": ""}}}}},
            'gate: {url: "http://llm-canary-gate.monitoring',
        ),
        ({"quality": {"goldenSet": {"configMap": ""}}}, "write quality: {goldenSet: {configMap: NAME}}"),
    ],
)
def test_quality_is_refused_where_nothing_could_come_of_it(
    render: Render, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(RefusedError, match=re.escape(words)):
        render(CHART, ALL, values)


# --- whom they ask -----------------------------------------------------------------------------------------------


def test_smoke_asks_the_new_version_and_not_the_old(render: Render) -> None:
    def asked(*values: dict[str, Any]) -> str:
        return str(environment(metrics(render(CHART, *values), "smoke")["smoke"])["ENGINE_URL"])

    assert asked(ROUTED) == "http://demo-canary:80"
    assert asked(BLUE_GREEN) == "http://demo-preview:80"
    assert asked(ROUTED, {"service": {"port": 8000}}) == "http://demo-canary:8000"


@pytest.mark.parametrize(("values", "canary"), [(ROUTED, "demo-canary"), (BLUE_GREEN, "demo-preview")])
def test_quality_asks_both_and_understands_what_the_chart_tells_it(
    render: Render, values: dict[str, Any], canary: str
) -> None:
    changed = {"quality": {"goldenSet": {"key": "v2.jsonl"}, "seed": 7, "timeoutSeconds": 90}}
    objects = render(CHART, GATED, GOLDEN, values, changed, name="demo", namespace="models")
    (container,) = pod(metrics(objects, "quality")["quality-job"])["containers"]
    assert container["command"] == ["python3", "-m", "llmops.jobs.quality"]
    told = quality.parser({}).parse_args(container["args"])
    assert (told.stable, told.canary) == ("http://demo:80", f"http://{canary}:80")
    assert {service["metadata"]["name"] for service in objects.all("Service")} == {"demo", canary}
    assert (told.model, told.concurrency, told.timeout, told.seed) == ("demo", 4, 90, 7)
    assert (told.gate, told.namespace, told.release, told.canary_hash) == (GATE, "models", "demo", HASH)
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "golden"]
    (volume,) = [
        one for one in pod(metrics(objects, "quality")["quality-job"])["volumes"] if "configMap" in one
    ]
    assert told.golden.as_posix() == f"{mount['mountPath']}/v2.jsonl"
    # Without the ConfigMap the program says so; a pod that waits for it says nothing.
    assert volume == {"name": mount["name"], "configMap": {"name": "capitals", "optional": True}}


def test_smoke_checks_what_the_values_promise(render: Render) -> None:
    values = {
        "engine": {"maxModelLen": 1048576, "apiKey": {"secret": "keys"}},
        "smoke": {
            "jsonMode": True,
            "latencySeconds": 12.5,
            "timeoutSeconds": 20,
            "tokenizerFingerprint": "0" * 16,
        },
    }
    told = environment(metrics(render(CHART, ROUTED, values), "smoke")["smoke"])
    assert (told["MODEL_NAME"], told["MAX_MODEL_LEN"], told["JSON_MODE"]) == ("demo", "1048576", "1")
    assert (told["LATENCY_SECONDS"], told["TIMEOUT_SECONDS"]) == ("12.5", "20")
    assert told["TOKENIZER_FINGERPRINT"] == "0" * 16
    assert told["API_KEY"] == {"secretKeyRef": {"name": "keys", "key": "api-key"}}
    plain = environment(metrics(render(CHART, ROUTED), "smoke")["smoke"])
    assert (
        not {"MAX_MODEL_LEN", "JSON_MODE", "LATENCY_SECONDS", "TOKENIZER_FINGERPRINT", "API_KEY"}
        & plain.keys()
    )


def test_the_script_is_the_one_of_helm_test_under_a_name_of_its_content(render: Render) -> None:
    objects = render(CHART, ROUTED)
    text = (CHARTS / CHART / "files/smoke.py").read_text(encoding="utf-8")
    name = f"demo-smoke-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    assert (
        objects.one("ConfigMap", name)["data"]
        == objects.one("ConfigMap", "demo-test")["data"]
        == {"smoke.py": text}
    )
    (volume,) = [one for one in pod(metrics(objects, "smoke")["smoke"])["volumes"] if "configMap" in one]
    assert volume["configMap"]["name"] == name
    test = objects.one("Pod", "demo-test")["spec"]["containers"][0]
    assert {one["name"] for one in test["env"]}.isdisjoint({"GATE_URL", "CANARY_HASH"})


def test_a_job_that_reports_shows_whose_it_is_by_a_token_of_ten_minutes(render: Render) -> None:
    objects = render(CHART, ALL)
    for gate, name in (("smoke", "smoke"), ("quality", "quality-job")):
        spec = pod(metrics(objects, gate)[name])
        assert spec["automountServiceAccountToken"] is False
        (token,) = [
            source["serviceAccountToken"]
            for volume in spec["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        ]
        assert (token["audience"], token["expirationSeconds"]) == (AUDIENCE, 600)
        (mount,) = [one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "gate-token"]
        variables = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
        assert variables["GATE_TOKEN_FILE"] == f"{mount['mountPath']}/{token['path']}"
    # Nobody else has one: not the servers, not `helm test`, and no Job where there is no gate to report to.
    others = [one for one in objects.items if one["metadata"]["name"] not in ("demo-smoke", "demo-quality")]
    assert "serviceAccountToken" not in json.dumps(others)
    assert "serviceAccountToken" not in json.dumps(render(CHART, ROUTED).items)


# --- what an answer does -----------------------------------------------------------------------------------------


def asked(metric: dict[str, Any]) -> dict[str, str]:
    provider = metric["provider"]["prometheus"]
    assert provider["address"] == GATE
    assert provider["headers"] == [{"key": "Authorization", "value": "Bearer {{args.gate-token}}"}]
    name, labels = read_query(provider["query"])
    assert name == RESULT
    return labels


@pytest.mark.parametrize(
    ("gate", "metric"),
    [("smoke", "smoke-reported"), ("quality", "quality"), ("quality", "quality-undecided")],
)
def test_the_gate_can_read_the_question(render: Render, gate: str, metric: str) -> None:
    body = asked(metrics(render(CHART, ALL, namespace="models"), gate)[metric])
    assert body["canary"] == HASH
    read = read_result_question(body | {"canary": "5f6d"})
    assert (read.release.namespace, read.release.name, read.kind, read.canary) == (
        "models",
        "demo",
        gate,
        "5f6d",
    )


def test_the_policy_of_the_values_reaches_the_gate(render: Render) -> None:
    changed = {"margin": 0.02, "alpha": 0.01, "minItems": 500, "maxUnanswered": 0, "minStableScore": 0.5}
    for name in ("quality", "quality-undecided"):
        policy = json.loads(
            asked(metrics(render(CHART, ALL, {"quality": changed}), "quality")[name])["policy"]
        )
        assert read_policy(policy) == changed
        assert policy["maxAgeSeconds"] == 3600
    defaults = json.loads(asked(metrics(render(CHART, ALL), "quality")["quality"])["policy"])
    assert read_policy(defaults) == read_policy({})


VALUE = re.compile(r"result\[0\] == (-?\d)")


def phase(metric: dict[str, Any], outcome: str) -> str:
    """What one answer is to Argo Rollouts."""
    value = str(VALUES[outcome])
    if value in VALUE.findall(metric["failureCondition"]):
        return "Failed"
    return "Successful" if value in VALUE.findall(metric["successCondition"]) else "Inconclusive"


def ends(metric: dict[str, Any], outcome: str) -> str | None:
    """What a metric becomes if every answer is this one, before its count is reached; None: it looks again."""
    # At its count it is Inconclusive, and Failed where failures have no limit: that one must not come so far.
    assert metric["count"] == metric["inconclusiveLimit"] or metric["count"] >= 100000
    found = phase(metric, outcome)
    if found == "Failed":
        return found if metric["failureLimit"] == 0 else None
    if found == "Inconclusive":
        return found if metric["inconclusiveLimit"] == 0 else None
    return found if metric["consecutiveSuccessLimit"] == 1 else None


def test_each_outcome_has_one_end(render: Render) -> None:
    objects = render(CHART, ALL)
    smoke, found = metrics(objects, "smoke")["smoke-reported"], metrics(objects, "quality")
    quality_, undecided = found["quality"], found["quality-undecided"]
    ended = {
        outcome: (ends(smoke, outcome), ends(quality_, outcome), ends(undecided, outcome))
        for outcome in ("pass", "fail", "inconclusive", "wait")
    }
    assert ended == {
        "pass": ("Successful", "Successful", "Successful"),
        "fail": ("Failed", "Failed", None),
        "inconclusive": (None, None, "Inconclusive"),
        "wait": (None, None, None),
    }


def test_waiting_outlasts_the_job_and_then_a_person_looks(render: Render) -> None:
    objects = render(CHART, ALL)
    for gate, started, waits in (("smoke", "smoke", "smoke-reported"), ("quality", "quality-job", "quality")):
        found = metrics(objects, gate)
        deadline = job(found[started])["spec"]["activeDeadlineSeconds"]
        assert phase(found[waits], "wait") == "Inconclusive"
        waited = int(found[waits]["interval"].removesuffix("s")) * found[waits]["inconclusiveLimit"]
        assert deadline < waited <= deadline + 120


def test_a_gate_that_is_away_ends_nothing(render: Render) -> None:
    for gate in ("smoke", "quality"):
        assert {one["consecutiveErrorLimit"] for one in metrics(render(CHART, ALL), gate).values()} == {
            100000
        }


def test_a_quality_job_that_fails_aborts_nothing_and_a_smoke_job_does(render: Render) -> None:
    objects = render(CHART, ALL)
    assert metrics(objects, "quality")["quality-job"]["failureLimit"] == 1
    assert metrics(objects, "smoke")["smoke"]["failureLimit"] == 0
    assert list(metrics(render(CHART, ROUTED), "smoke")) == ["smoke"]


# --- the pods ----------------------------------------------------------------------------------------------------


def test_jobs_are_tried_once_and_end(render: Render) -> None:
    objects = render(CHART, ALL)
    smoke, other = metrics(objects, "smoke")["smoke"], metrics(objects, "quality")["quality-job"]
    for metric in (smoke, other):
        spec = job(metric)["spec"]
        assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (0, 86400)
        assert spec["template"]["spec"]["restartPolicy"] == "Never"
    # Image pull 900 s, ten answers of 30 s, five minutes for the gate, and one to spare.
    assert job(smoke)["spec"]["activeDeadlineSeconds"] == 900 + 10 * 30 + 360
    assert job(other)["spec"]["activeDeadlineSeconds"] == 3600


def test_the_engine_lets_them_in_and_no_service_picks_them(render: Render) -> None:
    objects = render(CHART, ALL)
    (rule,) = objects.one("NetworkPolicy", "demo")["spec"]["ingress"]
    (own,) = [peer["podSelector"] for peer in rule["from"] if "podSelector" in peer]
    for gate in ("smoke", "quality"):
        for metric in metrics(objects, gate).values():
            if "job" not in metric["provider"]:
                continue
            labels = job(metric)["spec"]["template"]["metadata"]["labels"]
            assert own["matchLabels"].items() <= labels.items()
            assert labels["app.kubernetes.io/component"] in own["matchExpressions"][0]["values"]
            for service in objects.all("Service"):
                assert not service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("version", ["1.34", "1.35", "1.37"])
def test_jobs_are_what_kubernetes_knows(render: Render, version: str) -> None:
    objects = render(CHART, ALL)
    for template in objects.all("AnalysisTemplate"):
        found = Object(template, {}, "gate-jobs.yaml")
        assert known(found.api_version, found.kind, version)
        assert list(violations(found, version)) == []
        for metric in template["spec"]["metrics"]:
            if "job" in metric["provider"]:
                made = {"apiVersion": "batch/v1", "kind": "Job", **job(metric)}
                made["metadata"] = {"name": "a", **made["metadata"]}
                assert list(violations(Object(made, {}, "gate-jobs.yaml"), version)) == []


def test_pods_meet_the_restricted_standard_and_hold_no_token(render: Render) -> None:
    objects = render(CHART, ALL)
    pods = [pod(metrics(objects, "smoke")["smoke"]), pod(metrics(objects, "quality")["quality-job"])]
    for spec in pods:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert not any("nvidia.com/gpu" in part for part in container["resources"].values())
    assert pods[1]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_images(render: Render) -> None:
    def image(values: dict[str, Any]) -> str:
        found = metrics(render(CHART, ALL, values), "quality")["quality-job"]
        return str(pod(found)["containers"][0]["image"])

    assert re.fullmatch(r"llm-charts/llmops:[0-9]+\.[0-9]+\.[0-9]+", image({}))
    mirror = {"global": {"llm": {"environment": {"registry": "registry.example.com/mirror"}}}}
    assert image(mirror).startswith("registry.example.com/mirror/llm-charts/llmops:")
    digest = "sha256:" + "1" * 64
    assert image({"quality": {"image": {"digest": digest}}}).endswith("@" + digest)
    objects = render(CHART, ALL)
    assert pod(metrics(objects, "smoke")["smoke"])["containers"][0]["image"] == objects.engine["image"]
