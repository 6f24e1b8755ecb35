"""The chart gpu-hpa: what is rendered, what is refused, and what its queries say to a real PromQL engine."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.checks.rules.scaling.complete import OFFERED
from llmops.findings import RefusedError
from llmops.kubernetes.crds import path as schema_of
from llmops.kubernetes.schema import violations
from llmops.release import Inputs, from_manifests
from llmops.release import render as render_release
from llmops.render import Renderer, Target
from llmops.render.manifest import Object
from tests.charts.conftest import CHARTS, ROOT, Render, llm, merge, release_files
from tests.conftest import program

CHART = "gpu-hpa"
COLD_STARTS = (15, 120, 149, 150, 151, 300, 1800)


ON = llm(
    replicas={"min": 2, "max": 10},
    components={"autoscaling": True},
    environment={"monitoring": {"prometheusUrl": "http://prometheus:9090"}},
)
KEDA = {"backend": "keda"}


def behavior(scaler: dict[str, Any]) -> dict[str, Any]:
    spec = scaler["spec"]
    config = spec["advanced"]["horizontalPodAutoscalerConfig"] if "advanced" in spec else spec
    return config["behavior"]  # type: ignore[no-any-return]


def triggers(scaler: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one["metadata"] for one in scaler["spec"]["triggers"]}


# --- what is rendered -------------------------------------------------------------------------------------


def test_an_hpa_scales_the_release_on_its_total_demand(render: Render) -> None:
    objects = render(CHART, ON, name="qwen", namespace="models")
    assert objects.kinds() == [("HorizontalPodAutoscaler", "qwen")]
    spec = objects.items[0]["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "qwen"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    (metric,) = spec["metrics"]
    assert metric["external"] == {
        "metric": {"name": "llm_requests_demand", "selector": {"matchLabels": {"release": "qwen"}}},
        "target": {"type": "AverageValue", "averageValue": "16"},
    }


def test_a_scaled_object_does_not_take_silence_for_zero(render: Render) -> None:
    objects = render(CHART, ON, KEDA, name="qwen", namespace="models")
    assert objects.kinds() == [("ScaledObject", "qwen")]
    spec = objects.items[0]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 10)
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 2, "behavior": "currentReplicasIfHigher"}
    (trigger,) = spec["triggers"]
    assert trigger["metricType"] == "AverageValue"
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert trigger["metadata"]["serverAddress"] == "http://prometheus:9090"
    assert trigger["metadata"]["threshold"] == "16"
    assert 'namespace="models",release="qwen"' in trigger["metadata"]["query"]


@pytest.mark.parametrize("backend", ["hpa", "keda"])
@pytest.mark.parametrize("preset", ["demand", "classic"])
def test_no_query_turns_silence_into_a_number(render: Render, backend: str, preset: str) -> None:
    text = yaml.safe_dump(render(CHART, ON, {"backend": backend, "preset": preset}).items)
    for word in ("vector(", " or ", "absent("):
        assert word not in text


@pytest.mark.parametrize("workload", ["Rollout", "Deployment"])
@pytest.mark.parametrize("backend", ["hpa", "keda"])
def test_the_target_is_the_workload_that_vllm_inference_renders(
    render: Render, workload: str, backend: str
) -> None:
    (scaler,) = render(CHART, ON, {"workload": workload, "backend": backend}, name="qwen").items
    engine = render("vllm-inference", ON, {"workload": workload}, name="qwen").workload
    reference = scaler["spec"]["scaleTargetRef"]
    assert reference == {
        "apiVersion": engine["apiVersion"],
        "kind": engine["kind"],
        "name": engine["metadata"]["name"],
    }
    assert "replicas" not in engine["spec"]


def test_classic_asks_for_busy_gpus_and_for_finished_requests(render: Render) -> None:
    values = merge(ON, {"preset": "classic"}, llm(slo={"e2eP95Seconds": 4}))
    metrics = render(CHART, values, {"inFlightPerReplica": 10}).items[0]["spec"]["metrics"]
    targets = {
        one["external"]["metric"]["name"]: one["external"]["target"]["averageValue"] for one in metrics
    }
    # 10 requests held for 4 s each are 2.5 per second.
    assert targets == {"llm_gpu_utilization": "70", "llm_requests_per_second": "2500m"}
    keda = triggers(render(CHART, values, KEDA, {"inFlightPerReplica": 10}).items[0])
    assert {name: one["threshold"] for name, one in keda.items()} == {
        "llm-gpu-utilization": "70",
        "llm-requests-per-second": "2.5",
    }
    given = render(CHART, values, KEDA, {"classic": {"requestsPerSecond": 0.25}}).items[0]
    assert triggers(given)["llm-requests-per-second"]["threshold"] == "0.25"


def test_credentials_for_prometheus_come_with_their_kind(render: Render) -> None:
    keys = {"keda": {"triggerAuthentication": "prometheus", "authModes": "bearer"}}
    (trigger,) = render(CHART, ON, KEDA, keys).items[0]["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": "prometheus"}
    assert trigger["metadata"]["authModes"] == "bearer"


@pytest.mark.parametrize("kube_version", ["1.34.0", "1.35.0", "1.36.0", "1.37.0"])
@pytest.mark.parametrize("layer", [{}, KEDA, {"preset": "classic"}, merge(KEDA, {"preset": "classic"})])
def test_the_objects_fit_the_schemas(render: Render, kube_version: str, layer: dict[str, Any]) -> None:
    for item in render(CHART, ON, layer, kube_version=kube_version).items:
        assert not violations(Object(item), kube_version)


# --- how fast ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cold", COLD_STARTS)
@pytest.mark.parametrize("backend", ["hpa", "keda"])
def test_every_window_follows_from_the_cold_start(render: Render, backend: str, cold: int) -> None:
    (scaler,) = render(CHART, ON, {"coldStartSeconds": cold, "backend": backend}).items
    up, down = behavior(scaler)["scaleUp"], behavior(scaler)["scaleDown"]
    # More load is answered at once, but what was asked for must have come up before more is asked for.
    assert up["stabilizationWindowSeconds"] == 0
    assert {policy["periodSeconds"] for policy in up["policies"] + down["policies"]} == {cold}
    # A server given back and asked for again costs one cold start.
    assert down["stabilizationWindowSeconds"] >= 2 * cold
    assert down["stabilizationWindowSeconds"] >= 300
    # What the API server takes.
    assert down["stabilizationWindowSeconds"] <= 3600
    assert all(0 < policy["periodSeconds"] <= 1800 for policy in up["policies"] + down["policies"])


def test_the_window_downwards_is_a_value(render: Render) -> None:
    (scaler,) = render(CHART, ON, {"scaleDownWindowSeconds": 0}).items
    assert behavior(scaler)["scaleDown"]["stabilizationWindowSeconds"] == 0


def most(replicas: int, policies: list[dict[str, Any]], sign: int) -> int:
    """Where one period of these policies may lead, as Kubernetes reads selectPolicy Max."""
    steps = [
        policy["value"] if policy["type"] == "Pods" else -(-replicas * policy["value"] // 100)
        for policy in policies
    ]
    return replicas + sign * max(steps)


def test_up_is_fast_and_down_is_slow(render: Render) -> None:
    found = behavior(render(CHART, ON).items[0])
    for replicas in (1, 2, 5, 20, 100, 1000):
        up = most(replicas, found["scaleUp"]["policies"], 1)
        down = most(replicas, found["scaleDown"]["policies"], -1)
        assert replicas < up <= max(2 * replicas, replicas + 4)
        assert 0.9 * replicas - 1 <= down < replicas


def test_slower_servers_never_make_shorter_windows(render: Render) -> None:
    windows = [
        behavior(render(CHART, ON, {"coldStartSeconds": cold}).items[0])["scaleDown"][
            "stabilizationWindowSeconds"
        ]
        for cold in COLD_STARTS
    ]
    assert all(before <= after for before, after in pairwise(windows))


@pytest.mark.parametrize("backend", ["hpa", "keda"])
def test_no_tolerance_where_the_cluster_can_do_without(render: Render, backend: str) -> None:
    """Inside it an HPA keeps the count that it sees, which may hold the extra pods of a canary."""
    new = behavior(render(CHART, ON, {"backend": backend}, kube_version="1.35.0").items[0])
    assert [new[way]["tolerance"] for way in ("scaleUp", "scaleDown")] == ["0", "0"]
    old = behavior(render(CHART, ON, {"backend": backend}, kube_version="1.34.9").items[0])
    assert not [way for way in old.values() if "tolerance" in way]


# --- what is refused --------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody switched it on": (
        llm(components={"autoscaling": False}),
        r"components\.autoscaling is off.*\{autoscaling: true\}",
    ),
    "no upper bound": (
        llm(replicas={"min": 3, "max": None}),
        r"replicas\.max is empty.*\{replicas: \{min: 3, max: 6\}\}",
    ),
    "bounds the wrong way round": (
        llm(replicas={"min": 4, "max": 2}),
        r"replicas\.max is 2, below min 4: write .*\{max: 4\}",
    ),
    "keda and nobody to ask": (
        merge(KEDA, llm(environment={"monitoring": {"prometheusUrl": ""}})),
        r"prometheusUrl is empty: write .*http://",
    ),
    "credentials of no kind": (
        merge(KEDA, {"keda": {"triggerAuthentication": "prometheus"}}),
        r"keda\.triggerAuthentication and keda\.authModes work only together: write keda: \{",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_what_to_write_instead(render: Render, case: str) -> None:
    values, sentence = REFUSED[case]
    with pytest.raises(RefusedError, match=sentence):
        render(CHART, ON, values)


# --- in the umbrella --------------------------------------------------------------------------------------


def test_one_bit_brings_the_autoscaler_and_takes_the_replicas(render: Render) -> None:
    assert not render("llm-stack", llm(replicas={"min": 2, "max": 10})).all("HorizontalPodAutoscaler")
    objects = render("llm-stack", ON, {"gpu-hpa": {"inFlightPerReplica": 24}}, name="qwen", notes=True)
    assert objects.one("HorizontalPodAutoscaler", "qwen")["spec"]["maxReplicas"] == 10
    assert "replicas" not in objects.workload["spec"]
    assert "2 to 10 servers of Rollout/qwen by hpa, one for every 24 requests" in objects.notes
    assert "kubectl -n default describe hpa qwen" in objects.notes


@pytest.mark.parametrize("own", [{}, {"backend": "keda", "preset": "classic", "coldStartSeconds": 200}])
def test_the_umbrella_renders_what_the_chart_renders_alone(render: Render, own: dict[str, Any]) -> None:
    alone = render(CHART, ON, own).items
    umbrella = render("llm-stack", ON, {CHART: own}).items
    kinds = [item["kind"] for item in alone]
    assert [item for item in umbrella if item["kind"] in kinds] == alone


def found_in(renderer: Renderer, folder: Path, values: dict[str, Any]) -> list[tuple[str, str]]:
    """The findings of the umbrella with these values, as rule and message."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    inputs = Inputs(CHARTS / "llm-stack", (file,), Target("demo", "models", "1.35.0"))
    outcome = checks.run(render_release(inputs, renderer))
    return [
        (one.rule, one.message) for one in outcome.findings if one.rule.startswith(("scaling/", "graph/"))
    ]


def test_a_workload_of_the_other_kind_is_seen(renderer: Renderer, tmp_path: Path) -> None:
    values = merge(ON, llm(model={"name": "demo", "source": "file:///m"}))
    assert not found_in(renderer, tmp_path, values)
    mismatch = merge(values, {"vllm-inference": {"workload": "Deployment"}})
    message = "the Rollout demo is not in this release; it has Deployment demo."
    assert found_in(renderer, tmp_path, mismatch) == [("graph/scale-target-missing", message)]
    assert not found_in(renderer, tmp_path, merge(mismatch, {"gpu-hpa": {"workload": "Deployment"}}))


@pytest.mark.parametrize("backend", ["hpa", "keda"])
def test_a_target_beyond_the_batch_is_seen(renderer: Renderer, tmp_path: Path, backend: str) -> None:
    values = merge(
        ON,
        llm(model={"name": "demo", "source": "file:///m"}),
        {"vllm-inference": {"engine": {"maxNumSeqs": 16}}, "gpu-hpa": {"backend": backend}},
    )
    assert [rule for rule, _ in found_in(renderer, tmp_path, values)] == ["scaling/target-above-batch"]


@pytest.mark.parametrize("kube_version", ["1.34.0", "1.37.0"])
@pytest.mark.parametrize("backend", ["hpa", "keda"])
def test_a_shipped_release_takes_an_autoscaler_without_a_finding(
    renderer: Renderer, tmp_path: Path, kube_version: str, backend: str
) -> None:
    values = merge(llm(components={"autoscaling": True}), {"gpu-hpa": {"backend": backend}})
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    target = Target("qwen3-8b", "llm-prod", kube_version)
    files = (*release_files("qwen3-8b", "prod"), file)
    inputs = Inputs(CHARTS / "llm-stack", files, target, ROOT / "values/models/qwen3-8b", "prod")
    release = render_release(inputs, renderer)
    assert {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}[backend] in {
        one.kind for one in release.objects
    }
    # Kubernetes 1.34 has no tolerance in a scaler's behaviour; the chart cannot write one there.
    expected = {"scaling/tolerance-under-canary"} if kube_version == "1.34.0" else set()
    assert {one.rule for one in checks.run(release).findings} == expected


# --- servers over several nodes ---------------------------------------------------------------------------

GROUPS = {"workload": "LeaderWorkerSet"}
NODES: dict[str, Any] = {
    "workload": "LeaderWorkerSet",
    "engine": {"maxNumSeqs": 64, "parallelism": {"tensor": 8, "pipeline": 2, "nodes": 2}},
    "global": {"llm": {"model": {"name": "demo", "source": "file:///m"}}},
}


def beside_groups(
    render: Render, layer: dict[str, Any], kube_version: str = "1.35.0"
) -> list[dict[str, Any]]:
    """The objects of a LeaderWorkerSet without its number of groups, and the autoscaler that owns it."""
    served = render("vllm-inference", NODES, name="big", kube_version=kube_version).items
    for item in served:
        if item["kind"] == "LeaderWorkerSet":
            item["spec"].pop("replicas", None)
    return [*served, *render(CHART, ON, GROUPS, layer, name="big", kube_version=kube_version).items]


def judged(items: list[dict[str, Any]], kube_version: str = "1.35.0") -> list[str]:
    outcome = checks.run(from_manifests(yaml.safe_dump_all(items), "all.yaml", kube_version))
    return [one.rule for one in outcome.findings if one.rule.startswith(("scaling/", "graph/", "schema/"))]


@pytest.mark.parametrize("kube_version", ["1.34.0", "1.35.0", "1.37.0"])
@pytest.mark.parametrize("layer", [{}, KEDA, merge(KEDA, {"preset": "classic"})])
def test_groups_of_pods_are_scaled_as_servers(
    render: Render, layer: dict[str, Any], kube_version: str
) -> None:
    items = beside_groups(render, layer, kube_version)
    scaler, groups = items[-1], next(item for item in items if item["kind"] == "LeaderWorkerSet")
    assert scaler["spec"]["scaleTargetRef"] == {
        "apiVersion": groups["apiVersion"],
        "kind": "LeaderWorkerSet",
        "name": groups["metadata"]["name"],
    }
    spec = scaler["spec"]
    bounds = [spec.get(one, spec.get(two)) for one, two in BOUNDS]
    assert bounds == [2, 10]
    assert not violations(Object(scaler), kube_version)
    assert judged(items, kube_version) == []


BOUNDS = (("minReplicas", "minReplicaCount"), ("maxReplicas", "maxReplicaCount"))


@pytest.mark.parametrize("layer", [{}, KEDA])
def test_an_autoscaler_of_pods_beside_groups_dangles_and_one_owner_is_enough(
    render: Render, layer: dict[str, Any]
) -> None:
    items = beside_groups(render, layer)
    wrong = render(CHART, ON, layer, name="big").items
    assert judged([*items[:-1], *wrong]) == ["graph/scale-target-missing"]
    groups = next(item for item in items if item["kind"] == "LeaderWorkerSet")
    groups["spec"]["replicas"] = 2
    assert judged(items) == ["scaling/replicas-beside-autoscaler"]


def test_the_set_says_which_pods_a_scaler_has_to_look_at() -> None:
    """Of the scale of groups: their number wanted and there, and a selector of their leaders."""
    file = schema_of("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
    assert file
    known = json.loads(file.read_text(encoding="utf-8"))["properties"]
    assert "replicas" in known["spec"]["properties"]
    assert {"replicas", "hpaPodSelector"} <= set(known["status"]["properties"])


def test_only_leaders_are_scraped_so_a_group_counts_once(render: Render) -> None:
    """The demand is a sum over targets, so a worker that were one could add to it."""
    served = render("vllm-inference", NODES, name="big")
    template = served.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]
    leader, worker = (template[f"{role}Template"] for role in ("leader", "worker"))
    scrape = render("monitoring", llm(components={"monitoring": True}), name="big").one("PodMonitor")["spec"]
    (endpoint,) = scrape["podMetricsEndpoints"]

    def is_target(pod: dict[str, Any]) -> bool:
        ports = [one["name"] for found in pod["spec"]["containers"] for one in found.get("ports", [])]
        wanted = scrape["selector"]["matchLabels"].items()
        return wanted <= pod["metadata"]["labels"].items() and endpoint["port"] in ports

    assert is_target(leader)
    assert not is_target(worker)
    assert "http" not in str(worker["spec"]["containers"][0].get("ports", []))


@pytest.mark.parametrize("way", ["hpa", "keda"])
def test_the_notes_of_groups_name_the_set(render: Render, way: str) -> None:
    notes = render(CHART, ON, GROUPS, {"backend": way}, name="big", notes=True).notes
    assert "2 to 10 servers of LeaderWorkerSet/big-nodes by" in notes
    assert "A server is a group of pods" in notes
    assert "group of pods" not in render(CHART, ON, {"backend": way}, name="big", notes=True).notes


@pytest.mark.real
def test_the_demand_of_groups_is_that_of_their_leaders(render: Render, tmp_path: Path) -> None:
    """Two groups, whose workers have no series: 16 requests are 16, and 2 servers at 8 of each."""
    series = engine("big-nodes-0", "8x80", "2x80") | engine("big-nodes-1", "5x80", "1x80")
    ask(tmp_path, adapter_query(render, "llm_requests_demand", "models", "qwen"), series, 16)
    scaler = render(CHART, ON, GROUPS, KEDA, name="qwen", namespace="models").items[0]
    ask(tmp_path, triggers(scaler)["llm-requests-demand"]["query"], series, 16)


# --- what the queries say ---------------------------------------------------------------------------------

PODS = {"running": "vllm:num_requests_running", "waiting": "vllm:num_requests_waiting"}


def rule_of(render: Render, name: str) -> dict[str, Any]:
    (config,) = render(CHART, {"scope": "cluster"}, name="llm-platform").all("ConfigMap")
    rules = yaml.safe_load(config["data"]["config.yaml"])["externalRules"]
    return next(rule for rule in rules if rule["name"]["as"] == name)  # type: ignore[no-any-return]


def adapter_query(render: Render, name: str, namespace: str, release: str) -> str:
    """The query that prometheus-adapter makes of its rule for an HPA in a namespace."""
    query: str = rule_of(render, name)["metricsQuery"]
    return query.replace("<<.LabelMatchers>>", f'release="{release}",namespace="{namespace}"')


def engine(pod: str, running: str, waiting: str, up: str = "1x80", release: str = "qwen") -> dict[str, str]:
    """Series of one engine, one sample every 15 s, in promtool's notation."""
    where = f'namespace="models",pod="{pod}",release="{release}"'
    series = {
        f'vllm:num_requests_running{{{where},engine="0"}}': running,
        f'vllm:num_requests_waiting{{{where},engine="0"}}': waiting,
        f"up{{{where}}}": up,
    }
    return {name: values for name, values in series.items() if values}


OWN = '{namespace="models", release="qwen"}'


def ask(folder: Path, query: str, series: dict[str, str], expected: float | None, labels: str = OWN) -> None:
    """Asserts by promtool what a query answers after ten minutes; None means no answer at all."""
    test = {
        "evaluation_interval": "15s",
        "fuzzy_compare": True,
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": query,
                        "eval_time": "10m",
                        "exp_samples": [] if expected is None else [{"labels": labels, "value": expected}],
                    }
                ],
            }
        ],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    promtool = program("LLMOPS_PROMTOOL", "bin/promtool")
    done = subprocess.run(
        [str(promtool), "test", "rules", str(file)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


CASES: dict[str, tuple[dict[str, str], float | None]] = {
    "running and waiting of all pods, of this release only": (
        engine("a", "8x80", "3x80")
        | engine("b", "5x80", "0x80")
        | engine("c", "90x80", "9x80", release="other"),
        16,
    ),
    "a pod whose scrape fails keeps its last value": (
        engine("a", "8x80", "3x80") | engine("b", "5x8 stale", "2x8 stale", up="1x8 0x72"),
        18,
    ),
    "a pod that is gone counts no longer": (
        engine("a", "8x80", "3x80") | engine("b", "5x8 stale", "2x8 stale", up="1x8 stale"),
        11,
    ),
    "a pod that still loads counts nothing": (
        engine("a", "8x80", "3x80") | engine("b", "", "", up="0x80"),
        11,
    ),
    "an idle release is 0, which is an answer": (engine("a", "0x80", "0x80"), 0),
    "nothing is scraped any more": (engine("a", "8x8 stale", "3x8 stale", up="1x8 stale"), None),
    "half of the answer is none": (engine("a", "8x80", ""), None),
}


@pytest.mark.real
@pytest.mark.parametrize("case", CASES)
def test_the_demand_of_a_release(render: Render, tmp_path: Path, case: str) -> None:
    series, expected = CASES[case]
    ask(tmp_path, adapter_query(render, "llm_requests_demand", "models", "qwen"), series, expected)
    scaled = render(CHART, ON, KEDA, name="qwen", namespace="models").items[0]
    ask(tmp_path, triggers(scaled)["llm-requests-demand"]["query"], series, expected)


@pytest.mark.real
def test_the_busy_gpus_of_a_release(render: Render, tmp_path: Path) -> None:
    """Two GPUs of one server are averaged, servers are added, and other people's pods do not count."""
    gpus = {("a", 0): 90, ("a", 1): 50, ("b", 0): 30, ("stranger", 0): 100}
    series = engine("a", "1x80", "0x80") | engine("b", "", "", up="0x80")
    series |= {
        f'DCGM_FI_DEV_GPU_UTIL{{namespace="models",pod="{pod}",gpu="{gpu}"}}': f"{busy}x80"
        for (pod, gpu), busy in gpus.items()
    }
    ask(tmp_path, adapter_query(render, "llm_gpu_utilization", "models", "qwen"), series, 100)


@pytest.mark.real
def test_the_finished_requests_of_a_release(render: Render, tmp_path: Path) -> None:
    series = {
        f'vllm:request_success_total{{namespace="models",pod="{pod}",release="qwen",finished_reason="{reason}"}}': (
            f"0+{step}x80"
        )
        for pod, reason, step in (("a", "stop", 15), ("a", "length", 30), ("b", "stop", 15))
    }
    ask(tmp_path, adapter_query(render, "llm_requests_per_second", "models", "qwen"), series, 4)


def test_the_rules_of_the_adapter_serve_every_release(render: Render) -> None:
    """The rules name neither release nor namespace: the adapter takes both from the HPA that asks."""
    for name in OFFERED:
        rule = rule_of(render, name)
        assert rule["resources"] == {"overrides": {"namespace": {"resource": "namespace"}}}
        assert "<<.LabelMatchers>>" in rule["metricsQuery"]
    rest = merge(llm(components={"monitoring": True, "alerts": True}), {"tokens": {"waitingPerReplica": 9}})
    asked = {
        one["external"]["metric"]["name"]
        for preset in ("demand", "slo", "tokens", "classic")
        for one in render(CHART, ON, rest, {"preset": preset}).items[0]["spec"]["metrics"]
    }
    assert asked == set(OFFERED)


def test_the_notes_make_values_of_which_the_adapters_own_chart_registers_external_metrics(
    render: Render, tmp_path: Path
) -> None:
    """That chart asks for rules.external; what the command writes is held against the ConfigMap."""
    objects = render(CHART, {"scope": "cluster"}, notes=True)
    config = objects.one("ConfigMap")["data"]["config.yaml"]
    (command,) = [line.strip() for line in objects.notes.splitlines() if "adapter.yaml" in line]
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\ncat "$0.config"\n', encoding="utf-8")
    kubectl.chmod(0o755)
    (tmp_path / "kubectl.config").write_text(config, encoding="utf-8")
    subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True
    )
    values = yaml.safe_load((tmp_path / "adapter.yaml").read_text(encoding="utf-8"))
    assert values == {
        "rules": {"default": False, "external": yaml.safe_load(config)["externalRules"]},
    }
