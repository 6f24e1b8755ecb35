"""An Ingress in front of the one Service, where no router splits requests."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops.checks.reading.values_schema import violations as refused_values
from llmops.kubernetes.schema import violations
from llmops.release import archive
from llmops.render.manifest import parse
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, Objects, Render, merge, refused

CHART = "vllm-inference"
HOST = "demo.example.com"


def ingress(**more: Any) -> dict[str, Any]:
    return {"route": {"host": HOST, "ingress": {"className": "public", **more}}}


def annotations(objects: Objects) -> dict[str, str]:
    found: dict[str, str] = objects.one("Ingress")["metadata"].get("annotations", {})
    return found


@pytest.mark.parametrize(
    "strategy",
    [{}, {"workload": "Deployment"}, {"strategy": {"type": "blueGreen"}}],
    ids=["canary", "plain", "blue"],
)
def test_only_v1_of_the_host_reaches_the_one_service(render: Render, strategy: dict[str, Any]) -> None:
    objects = render(CHART, ingress(), strategy)
    spec = objects.one("Ingress")["spec"]
    assert spec["ingressClassName"] == "public"
    (rule,) = spec["rules"]
    assert rule["host"] == HOST
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/v1/", "Prefix")
    service = objects.one("Service", path["backend"]["service"]["name"])
    assert service["metadata"]["name"] == "demo"
    assert path["backend"]["service"]["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
    text = yaml.safe_dump_all(objects.items)
    assert [one for item in parse(text, "rendered") for one in violations(item, "1.35")] == []


def test_tls_is_the_hosts(render: Render) -> None:
    assert render(CHART, ingress()).one("Ingress")["spec"]["tls"] == [{"hosts": [HOST]}]
    own = render(CHART, ingress(), {"route": {"tlsSecret": "cert"}}).one("Ingress")["spec"]["tls"]
    assert own == [{"hosts": [HOST], "secretName": "cert"}]
    assert "tls" not in render(CHART, ingress(), {"route": {"tls": False}}).one("Ingress")["spec"]


@pytest.mark.parametrize("seconds", [30, 900])
def test_no_controller_ends_a_stream_that_the_engine_would_finish(render: Render, seconds: int) -> None:
    longest = {"lifecycle": {"longestStreamSeconds": seconds}}
    nginx = annotations(render(CHART, ingress(controller="nginx", maxBodyMiB=32), longest))
    assert int(nginx["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > seconds
    assert nginx["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert nginx["nginx.ingress.kubernetes.io/proxy-body-size"] == "32m"
    haproxy = annotations(render(CHART, ingress(controller="haproxy"), longest))
    assert int(haproxy["haproxy.org/timeout-server"].removesuffix("s")) > seconds
    assert annotations(render(CHART, ingress(), longest)) == {}


def test_own_annotations_win(render: Render) -> None:
    own = {"nginx.ingress.kubernetes.io/proxy-buffering": "on", "example.com/team": "models"}
    found = annotations(render(CHART, ingress(controller="nginx", annotations=own)))
    assert own.items() <= found.items()
    assert "nginx.ingress.kubernetes.io/proxy-read-timeout" in found


def test_notes_name_the_host(render: Render) -> None:
    assert f"curl https://{HOST}/v1/models" in render(CHART, ingress(), notes=True).notes
    assert not render(CHART).all("Ingress")


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "beside a router": (
        merge(ingress(), {"trafficRouter": "traefik"}),
        "route.ingress",
        "trafficRouter: none",
    ),
    "without a host": (
        {"route": {"ingress": {"className": "public"}}},
        "route.ingress",
        "route: {host: llm.example.com}",
    ),
    "to pods that speak TLS": (
        merge(ingress(), {"engine": {"tls": {"secret": "cert"}}}),
        "engine.tls",
        "remove engine.tls",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"controller": "nginx"}, "/className"),
        ({"className": "a", "maxBodyMiB": 4}, "/controller"),
        ({"className": "a", "controller": "haproxy", "maxBodyMiB": 4}, "/maxBodyMiB"),
        ({"className": "a", "controller": "envoy"}, "/controller"),
    ],
)
def test_what_cannot_be_is_refused_at_its_path(given: dict[str, Any], pointer: str) -> None:
    values = merge_values(archive(CHARTS / CHART), [merge(MODEL, {"route": {"ingress": given}})])
    assert [one.pointer for one in refused_values(CHARTS / CHART, values)] == [f"/route/ingress{pointer}"]
