"""What the network policies of a release let through: whole tables of from, to, port and verdict."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.release import from_manifests
from tests.charts.conftest import CHARTS, Objects, Render, merge
from tests.charts.network import Place, Pod, Verdict, pods_of, verdict

CHART = "vllm-inference"
HERE = "llm-prod"
GATE_URL = "http://llm-canary-gate.monitoring:8080"
GATEWAY = Pod("traefik", {"app": "traefik"})
PROMETHEUS = Pod("monitoring", {"app": "prometheus"})
GATE = Pod("monitoring", {"app.kubernetes.io/component": "gate"}, {"http": 8080})
NEIGHBOUR = Pod(HERE, {"app": "neighbour"})
OTHER_RELEASE = Pod(
    HERE,
    {
        "app.kubernetes.io/name": CHART,
        "app.kubernetes.io/instance": "other",
        "app.kubernetes.io/component": "engine",
    },
    {"http": 8000},
)
OUR_JOB_ELSEWHERE = Pod(
    "others", {"app.kubernetes.io/instance": "demo", "app.kubernetes.io/component": "job"}
)
STORE = {"objectStore": {"endpoint": "http://minio.storage:9000", "secret": "store"}}
OWN_RULE = {"to": [{"ipBlock": {"cidr": "10.50.0.0/16"}}], "ports": [{"port": 9000}]}
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
API_SERVER = "10.96.0.1"
NODE = "10.0.0.4"
METADATA = "169.254.169.254"
PUBLIC = "203.0.113.7"
PUBLIC_6 = "2001:db8::7"
PRIVATE_6 = "fd00:10::7"

Row = tuple[Place | str, Place | str, int, Verdict]


def source(url: str, **more: Any) -> dict[str, Any]:
    revision = "0123456789012345678901234567890123456789" if url.startswith("hf://") else ""
    return {"global": {"llm": {"model": {"source": url, "revision": revision}, **more}}}


def environment(**facts: Any) -> dict[str, Any]:
    return {"global": {"llm": {"environment": facts}}}


def table(objects: Objects) -> dict[str, Pod]:
    """engine, prefill, worker, test and job of a release."""
    found = {}
    for _, pod in pods_of(objects.items, HERE):
        found.setdefault(pod.labels["app.kubernetes.io/component"], pod)
    return found


def judge(objects: Objects, rows: list[Row]) -> None:
    known = table(objects)
    for start, end, port, expected in rows:
        first = known.get(start, start) if isinstance(start, str) else start
        last = known.get(end, end) if isinstance(end, str) else end
        found = verdict(objects.items, first, last, port)
        assert found == expected, f"{start} to {end} at {port}"


HUB = source("hf://Qwen/Qwen3-8B")
NOBODY: list[Row] = [
    ("engine", PUBLIC, 443, "shut"),
    ("engine", DNS, 53, "shut"),
    ("engine", API_SERVER, 443, "shut"),
    ("engine", NEIGHBOUR, 8080, "shut"),
]
INSIDE: list[Row] = [
    ("engine", API_SERVER, 443, "shut"),
    ("engine", NODE, 443, "shut"),
    ("engine", METADATA, 80, "shut"),
    ("engine", METADATA, 443, "shut"),
    ("engine", "100.100.100.200", 443, "shut"),
    ("engine", PRIVATE_6, 443, "shut"),
    ("engine", NEIGHBOUR, 443, "shut"),
    ("engine", OTHER_RELEASE, 8000, "shut"),
    ("engine", Pod("kube-system", {"app": "anything"}), 443, "shut"),
]
CASES: dict[str, tuple[dict[str, Any], list[Row]]] = {
    "the public hub": (
        HUB,
        [
            ("engine", PUBLIC, 443, "open"),
            ("engine", PUBLIC_6, 443, "open"),
            ("engine", DNS, 53, "open"),
            ("engine", PUBLIC, 80, "shut"),
            ("engine", PUBLIC, 53, "shut"),
            *INSIDE,
        ],
    ),
    "a mirror of the hub in private address space": (
        merge(HUB, environment(hubEndpoint="http://hub.example.com:8080/hf", privateCidrs=["10.20.0.0/16"])),
        [
            ("engine", "10.20.0.5", 8080, "open"),
            ("engine", "10.20.0.5", 443, "shut"),
            ("engine", "10.30.0.5", 8080, "shut"),
            ("engine", PUBLIC, 8080, "open"),
            *INSIDE,
        ],
    ),
    "a mirror by its address": (
        merge(HUB, environment(hubEndpoint="https://10.20.0.5")),
        [("engine", "10.20.0.5", 443, "open"), ("engine", "10.20.0.6", 443, "shut"), *INSIDE],
    ),
    "a mirror in the cluster": (
        merge(HUB, environment(hubEndpoint="http://hub.mirrors.svc:8080")),
        [
            ("engine", Pod("mirrors", {}), 8080, "open"),
            ("engine", Pod("others", {}), 8080, "shut"),
            ("engine", PUBLIC, 8080, "shut"),
            *INSIDE,
        ],
    ),
    "a claim": (source("pvc://weights/qwen3"), NOBODY),
    "a store in the cluster": (
        merge(source("s3://models/qwen3"), STORE),
        [
            ("engine", Pod("storage", {"app": "minio"}), 9000, "open"),
            ("engine", Pod("others", {"app": "minio"}), 9000, "shut"),
            *INSIDE,
        ],
    ),
    "a store of a cloud": (
        source("s3://models/qwen3"),
        [("engine", PUBLIC, 443, "open"), ("engine", Pod("storage", {}), 443, "shut"), *INSIDE],
    ),
    "a proxy is the only way out": (
        merge(HUB, environment(proxy={"url": "http://proxy.corp.example.com:3128"})),
        [
            ("engine", "10.20.0.5", 3128, "open"),
            ("engine", PUBLIC, 3128, "open"),
            ("engine", PUBLIC, 443, "shut"),
            ("engine", METADATA, 3128, "shut"),
            *INSIDE,
        ],
    ),
    "a proxy whose place is known": (
        merge(HUB, environment(proxy={"url": "http://proxy.corp.example.com:3128"}, privateCidrs=["10.20.0.0/16"])),
        [("engine", "10.20.0.5", 3128, "open"), ("engine", "10.30.0.5", 3128, "shut"), *INSIDE],
    ),
    "a proxy, and a mirror that is asked directly": (
        merge(
            HUB,
            environment(
                hubEndpoint="https://hub.corp.example.com",
                proxy={"url": "http://10.20.0.5:3128", "noProxy": [".corp.example.com"]},
                privateCidrs=["10.40.0.0/16"],
            ),
        ),
        [("engine", "10.20.0.5", 3128, "open"), ("engine", "10.40.0.9", 443, "open"), *INSIDE],
    ),
    "a proxy that only the engine was told of": (
        merge(HUB, {"engine": {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.corp.example.com:3128"}]}}),
        [("engine", "10.20.0.5", 3128, "open"), ("engine", PUBLIC, 443, "shut"), *INSIDE],
    ),
    "traces to a collector in the cluster": (
        merge(source("pvc://weights"), {"engine": {"tracing": {"endpoint": "http://otel.tracing:4317"}}}),
        [
            ("engine", Pod("tracing", {}), 4317, "open"),
            ("engine", Pod("others", {}), 4317, "shut"),
            ("engine", DNS, 53, "open"),
        ],
    ),
    "a rule of the user's own": (
        merge(
            source("pvc://weights"),
            {"networkPolicy": {"extraEgress": [OWN_RULE]}},
        ),
        [("engine", "10.50.0.1", 9000, "open"), ("engine", "10.50.0.1", 443, "shut"), ("engine", DNS, 53, "open")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_servers_reach_where_their_model_comes_from_and_nobody_else(render: Render, case: str) -> None:
    values, rows = CASES[case]
    judge(render(CHART, values, namespace=HERE), rows)


def test_servers_are_reached_by_gateway_scrape_and_own_jobs_only(render: Render) -> None:
    objects = render(CHART, HUB, environment(gateway={"namespace": "traefik"}), namespace=HERE)
    judge(
        objects,
        [
            (GATEWAY, "engine", 8000, "open"),
            (PROMETHEUS, "engine", 8000, "open"),
            ("test", "engine", 8000, "open"),
            (GATEWAY, "engine", 22, "shut"),
            (NEIGHBOUR, "engine", 8000, "shut"),
            (OTHER_RELEASE, "engine", 8000, "shut"),
            (OUR_JOB_ELSEWHERE, "engine", 8000, "shut"),
            (NODE, "engine", 8000, "shut"),
            (PUBLIC, "engine", 8000, "shut"),
        ],
    )  # fmt: skip


def test_the_pods_of_tests_and_gates_ask_the_servers_and_tell_the_gate(render: Render) -> None:
    gates = {
        "trafficRouter": "traefik",
        "route": {"host": "llm.example.com"},
        "quality": {"enabled": True, "goldenSet": {"configMap": "golden"}},
    }
    facts = environment(
        gate={"url": GATE_URL}, monitoring={"prometheusUrl": "http://prometheus.monitoring:9090"}
    )
    objects = render(CHART, HUB, gates, facts, namespace=HERE)
    for client in ("job", "test"):
        judge(
            objects,
            [
                (client, "engine", 8000, "open"),
                (client, GATE, 8080, "open"),
                (client, DNS, 53, "open"),
                (client, OTHER_RELEASE, 8000, "shut"),
                (client, NEIGHBOUR, 8000, "shut"),
                (client, PUBLIC, 443, "shut"),
                (client, API_SERVER, 443, "shut"),
                (client, METADATA, 80, "shut"),
                (GATEWAY, client, 8000, "shut"),
                (NEIGHBOUR, client, 8000, "shut"),
            ],
        )


def test_nodes_of_a_server_speak_to_each_other(render: Render) -> None:
    values = yaml.safe_load((CHARTS / CHART / "ci/nodes-values.yaml").read_text(encoding="utf-8"))
    objects = render(CHART, values, bare=True, namespace=HERE)
    judge(
        objects,
        [
            ("engine", "worker", 29500, "open"),
            ("worker", "engine", 29500, "open"),
            ("worker", DNS, 53, "open"),
            ("test", "engine", 8000, "open"),
            (NEIGHBOUR, "worker", 29500, "shut"),
            (GATEWAY, "worker", 29500, "shut"),
        ],
    )


@pytest.mark.parametrize(
    "file", sorted((CHARTS / CHART / "ci").glob("*-values.yaml")), ids=lambda path: path.stem
)
def test_every_pod_of_a_release_stands_under_policies_of_both_directions(render: Render, file: Any) -> None:
    objects = render(CHART, yaml.safe_load(file.read_text(encoding="utf-8")), bare=True, namespace=HERE)
    found = list(pods_of(objects.items, HERE))
    assert found
    if not objects.all("NetworkPolicy"):
        pytest.fail("a release of ci/ without a policy proves nothing")
    for name, pod in found:
        assert verdict(objects.items, NEIGHBOUR, pod, 65000) == "shut", name
        assert verdict(objects.items, pod, NEIGHBOUR, 65000) == "shut", name


def test_without_the_policy_nothing_of_it_is_left(render: Render) -> None:
    assert not render(CHART, HUB, {"networkPolicy": {"enabled": False}}).all("NetworkPolicy")


PROXY = {"url": "http://proxy.corp.example.com:3128", "noProxy": [".corp.example.com"]}


def test_a_proxy_reaches_download_and_engine(render: Render) -> None:
    objects = render(CHART, HUB, environment(proxy=PROXY), {"cache": {"download": True}}, namespace=HERE)
    (download,) = objects.pod["initContainers"]
    for container in (download, objects.engine):
        variables = {one["name"]: one.get("value") for one in container["env"]}
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            assert variables[name] == PROXY["url"]
        assert {".svc", ".cluster.local", "localhost", ".corp.example.com"} <= set(
            variables["NO_PROXY"].split(",")
        )


def test_what_only_the_engine_was_told_of_a_proxy_reaches_the_download_too(render: Render) -> None:
    given = [{"name": "HTTPS_PROXY", "value": PROXY["url"]}, {"name": "NO_PROXY", "value": ".svc"}]
    objects = render(CHART, HUB, {"cache": {"download": True}, "engine": {"extraEnv": given}})
    (download,) = objects.pod["initContainers"]
    for container in (download, objects.engine):
        assert [one for one in container["env"] if one["name"] in ("HTTPS_PROXY", "NO_PROXY")] == given
    both = render(CHART, HUB, environment(proxy=PROXY), {"engine": {"extraEnv": given}})
    names = [one["name"] for one in both.engine["env"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"hubEndpoint": "https://hub.internal"}, ["graph/network-policy-shuts-endpoint"]),
        ({"hubEndpoint": "https://hub.internal", "privateCidrs": ["10.20.0.0/16"]}, []),
        ({"hubEndpoint": "https://hub.example.com"}, []),
        ({"hubEndpoint": "https://hub.internal", "proxy": PROXY}, []),
    ],
)
def test_the_check_says_where_a_hub_is_out_of_reach(
    render: Render, facts: dict[str, Any], found: list[str]
) -> None:
    objects = render(CHART, HUB, environment(**facts), namespace=HERE).items
    outcome = checks.run(from_manifests(yaml.safe_dump_all(objects), "release.yaml", "1.35"))
    assert [
        one.rule for one in outcome.findings if one.rule == "graph/network-policy-shuts-endpoint"
    ] == found
