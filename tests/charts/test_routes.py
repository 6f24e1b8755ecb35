"""Routes and Services of every router and strategy: which requests go to which version, and who may write what."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.checks.reading.values_schema import violations
from llmops.findings import RefusedError
from llmops.kubernetes import crds
from llmops.kubernetes.schema import Schema
from llmops.release import archive
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, Objects, Render, merge, refused
from tests.checks.cases import manifests

CHART = "vllm-inference"
ROUTERS: dict[str, dict[str, Any]] = {
    "traefik": {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}},
    "gatewayAPI": {
        "trafficRouter": "gatewayAPI",
        "route": {"host": "demo.example.com", "gateway": {"name": "edge", "namespace": "gateway"}},
    },
    "istio": {
        "trafficRouter": "istio",
        "route": {"host": "demo.example.com", "istio": {"gateways": ["gateway/edge", "mesh"]}},
    },
}
HEADER = {"strategy": {"type": "ab", "ab": {"header": {"name": "X-Model-Version", "value": "next"}}}}
COOKIE = {"strategy": {"type": "ab", "ab": {"cookie": {"name": "version", "value": "v1.5"}}}}
SHADOW = {"strategy": {"type": "shadow", "shadow": {"percent": 20}}}
BLUE_GREEN = {"strategy": {"type": "blueGreen"}}
ROUTES = ("IngressRoute", "TraefikService", "HTTPRoute", "VirtualService")


def routes(objects: Objects) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in objects.kinds() if kind in ROUTES]


def services(objects: Objects) -> list[str]:
    return [name for kind, name in objects.kinds() if kind == "Service"]


# --- every router -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("strategy", [{}, BLUE_GREEN, HEADER, COOKIE, SHADOW, {"workload": "Deployment"}])
def test_routes_are_what_their_api_takes(render: Render, router: str, strategy: dict[str, Any]) -> None:
    found = [item for item in render(CHART, ROUTERS[router], strategy).items if item["kind"] in ROUTES]
    assert found
    for item in found:
        file = crds.path(item["apiVersion"], item["kind"])
        assert file
        assert Schema(json.loads(file.read_text())).violations(item) == []


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("strategy", [{}, BLUE_GREEN, HEADER, SHADOW])
def test_rollout_services_and_routes_find_each_other(
    render: Render, router: str, strategy: dict[str, Any]
) -> None:
    objects = render(CHART, ROUTERS[router], strategy)
    found = checks.run(manifests(yaml.safe_dump_all(objects.items))).findings
    assert [one.message for one in found if one.rule.startswith(("graph/", "schema/"))] == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["demo"]),  # by number of pods: one Service over all of them
        ({"workload": "Deployment"}, ["demo"]),
        (BLUE_GREEN, ["demo", "demo-preview"]),
        *((router, ["demo", "demo-canary"]) for router in ROUTERS.values()),
        *((merge(router, HEADER), ["demo", "demo-canary"]) for router in ROUTERS.values()),
        *((merge(router, SHADOW), ["demo", "demo-canary"]) for router in ROUTERS.values()),
        *((merge(router, BLUE_GREEN), ["demo", "demo-preview"]) for router in ROUTERS.values()),
        *((merge(router, {"workload": "Deployment"}), ["demo"]) for router in ROUTERS.values()),
    ],
)
def test_services_are_those_that_the_strategy_writes_to(
    render: Render, values: dict[str, Any], expected: list[str]
) -> None:
    objects = render(CHART, values)
    assert services(objects) == expected
    selectors = [item["spec"]["selector"] for item in objects.all("Service")]
    assert all(selector == selectors[0] for selector in selectors)  # the controller adds the hash


@pytest.mark.parametrize("router", ROUTERS)
def test_only_v1_of_the_host_is_routed(render: Render, router: str) -> None:
    for strategy in ({}, HEADER, COOKIE, SHADOW, BLUE_GREEN):
        objects = render(CHART, ROUTERS[router], strategy)
        for route in objects.all("IngressRoute"):
            for one in route["spec"]["routes"]:
                assert one["match"].startswith("Host(`demo.example.com`) && PathPrefix(`/v1/`)")
        for route in objects.all("HTTPRoute"):
            assert route["spec"]["hostnames"] == ["demo.example.com"]
            paths = [match["path"] for rule in route["spec"]["rules"] for match in rule["matches"]]
            assert paths == [{"type": "PathPrefix", "value": "/v1/"}]
        for route in objects.all("VirtualService"):
            assert route["spec"]["hosts"] == ["demo.example.com"]
            uris = [match["uri"] for rule in route["spec"]["http"] for match in rule["match"]]
            assert uris == [{"prefix": "/v1/"}] * len(route["spec"]["http"])


@pytest.mark.parametrize("router", ROUTERS)
def test_what_a_controller_writes_to_carries_no_label_that_changes(render: Render, router: str) -> None:
    objects = render(CHART, ROUTERS[router], SHADOW, {"global": {"llm": {"release": {"version": "1.2.3"}}}})
    written = [item for kind in ("Service", *ROUTES[1:]) for item in objects.all(kind)]
    assert len(written) >= 3
    for item in written:
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(item["metadata"]["labels"])


@pytest.mark.parametrize("stream", [1, 120, 36000])
@pytest.mark.parametrize("router", ["gatewayAPI", "istio"])
def test_no_route_ends_a_stream_that_the_engine_would_finish(
    render: Render, router: str, stream: int
) -> None:
    objects = render(CHART, ROUTERS[router], HEADER, {"lifecycle": {"longestStreamSeconds": stream}})
    given = [
        seconds
        for route in objects.all("HTTPRoute")
        for rule in route["spec"]["rules"]
        for seconds in rule["timeouts"].values()
    ]
    given += [rule["timeout"] for route in objects.all("VirtualService") for rule in route["spec"]["http"]]
    assert len(given) >= 2
    for one in given:
        # Both APIs take durations of one to five digits.
        assert re.fullmatch(r"[0-9]{1,5}s", one)
        assert int(one[:-1]) > stream


# --- weights ----------------------------------------------------------------------------------------------------


def test_gateway_api_weighs_both_services_and_starts_at_stable(render: Render) -> None:
    objects = render(CHART, ROUTERS["gatewayAPI"])
    assert routes(objects) == [("HTTPRoute", "demo")]
    spec = objects.one("HTTPRoute")["spec"]
    assert spec["parentRefs"] == [{"name": "edge", "namespace": "gateway"}]
    assert spec["rules"][0]["backendRefs"] == [
        {"name": "demo", "port": 80, "weight": 100},
        {"name": "demo-canary", "port": 80, "weight": 0},
    ]


def test_a_gateway_of_the_own_namespace_and_one_listener(render: Render) -> None:
    own = {"route": {"gateway": {"namespace": "", "sectionName": "https"}}}
    spec = render(CHART, ROUTERS["gatewayAPI"], own).one("HTTPRoute")["spec"]
    assert spec["parentRefs"] == [{"name": "edge", "sectionName": "https"}]


def test_istio_weighs_both_services_in_the_route_that_the_controller_finds(render: Render) -> None:
    objects = render(CHART, ROUTERS["istio"], {"service": {"port": 8080}})
    assert routes(objects) == [("VirtualService", "demo")]
    spec = objects.one("VirtualService")["spec"]
    assert spec["gateways"] == ["gateway/edge", "mesh"]
    (primary,) = spec["http"]
    assert primary["name"] == "primary"
    # Istio refuses several destinations whose weights are all missing.
    assert [(one["destination"], one["weight"]) for one in primary["route"]] == [
        ({"host": "demo", "port": {"number": 8080}}, 100),
        ({"host": "demo-canary", "port": {"number": 8080}}, 0),
    ]
    assert "503" not in primary["retries"]["retryOn"]  # a canary's errors would not be seen
    assert "5xx" not in primary["retries"]["retryOn"]


@pytest.mark.parametrize("values", [BLUE_GREEN, {"workload": "Deployment"}])
@pytest.mark.parametrize("router", ROUTERS)
def test_without_a_canary_all_requests_go_to_one_service(
    render: Render, router: str, values: dict[str, Any]
) -> None:
    objects = render(CHART, ROUTERS[router], values)
    assert len(routes(objects)) == 1
    text = json.dumps([item["spec"] for item in objects.items if item["kind"] in ROUTES])
    assert '"demo"' in text
    assert not re.search(r"demo-|weight|TraefikService", text)


def test_a_traefik_cookie_keeps_clients_on_their_version(render: Render) -> None:
    assert "sticky" not in render(CHART, ROUTERS["traefik"]).one("TraefikService")["spec"]["weighted"]
    objects = render(CHART, ROUTERS["traefik"], {"route": {"sticky": {"cookie": "llm-version"}}})
    weighted = objects.one("TraefikService")["spec"]["weighted"]
    assert weighted["sticky"]["cookie"]["name"] == "llm-version"
    assert weighted["sticky"]["cookie"]["secure"] is True


# --- A/B --------------------------------------------------------------------------------------------------------


def test_traefik_sends_marked_requests_to_the_canary_by_the_longer_rule(render: Render) -> None:
    marked, others = render(CHART, ROUTERS["traefik"], HEADER).one("IngressRoute")["spec"]["routes"]
    assert marked["match"].endswith(" && Header(`X-Model-Version`, `next`)")
    assert marked["services"] == [{"kind": "Service", "name": "demo-canary", "port": 80}]
    assert others["services"] == [{"kind": "TraefikService", "name": "demo"}]
    assert len(marked["match"]) > len(others["match"])
    assert not {"priority"} & {*marked, *others}


def test_gateway_api_marks_in_a_route_that_the_plugin_does_not_write_to(render: Render) -> None:
    objects = render(CHART, ROUTERS["gatewayAPI"], HEADER)
    assert routes(objects) == [("HTTPRoute", "demo"), ("HTTPRoute", "demo-ab")]
    (rule,) = objects.one("HTTPRoute", "demo-ab")["spec"]["rules"]
    assert rule["matches"][0]["headers"] == [{"type": "Exact", "name": "X-Model-Version", "value": "next"}]
    assert rule["backendRefs"] == [{"name": "demo-canary", "port": 80}]
    main = objects.one("HTTPRoute", "demo")
    assert "headers" not in json.dumps(main)
    parents = objects.one("HTTPRoute", "demo-ab")["spec"]["parentRefs"]
    assert parents == main["spec"]["parentRefs"]


def test_istio_asks_for_the_mark_first_and_in_lower_case(render: Render) -> None:
    marked, primary = render(CHART, ROUTERS["istio"], HEADER).one("VirtualService")["spec"]["http"]
    assert marked["match"][0]["headers"] == {"x-model-version": {"exact": "next"}}
    assert [one["destination"]["host"] for one in marked["route"]] == ["demo-canary"]
    assert primary["name"] == "primary"
    assert "headers" not in json.dumps(primary)


def cookie_pattern(objects: Objects) -> str:
    """The expression of whichever router was rendered."""
    text = json.dumps(
        [item["spec"] for item in objects.items if item["kind"] in ROUTES and "Cookie" in json.dumps(item)]
        or [item["spec"] for item in objects.items if item["kind"] == "VirtualService"]
    )
    (found,) = re.findall(r"\^\(\.\*; \?\)\?[^`\"]+\$", text)
    return str(json.loads(f'"{found}"'))


@pytest.mark.parametrize("router", ROUTERS)
def test_a_cookie_is_found_among_others_and_never_by_half(render: Render, router: str) -> None:
    pattern = cookie_pattern(render(CHART, ROUTERS[router], COOKIE))
    for header in ("version=v1.5", "a=1; version=v1.5", "version=v1.5; b=2", "a=1; version=v1.5; b=2"):
        assert re.search(pattern, header), header
        assert re.fullmatch(pattern, header), header  # Envoy asks for all of the value, Traefik for a part
    for header in ("version=v1x5", "version=v1.50", "myversion=v1.5", "a=version=v1.5", "version=", ""):
        assert not re.search(pattern, header), header


# --- shadow -----------------------------------------------------------------------------------------------------


def test_traefik_mirrors_what_the_weighted_service_answers(render: Render) -> None:
    objects = render(CHART, ROUTERS["traefik"], SHADOW, {"route": {"mirrorBodyMiB": 2}})
    assert routes(objects) == [
        ("IngressRoute", "demo"),
        ("TraefikService", "demo"),
        ("TraefikService", "demo-shadow"),
    ]
    (route,) = objects.one("IngressRoute")["spec"]["routes"]
    assert route["services"] == [{"kind": "TraefikService", "name": "demo-shadow"}]
    assert objects.one("TraefikService", "demo-shadow")["spec"]["mirroring"] == {
        "kind": "TraefikService",
        "name": "demo",
        "maxBodySize": 2 * 1024 * 1024,
        "mirrors": [{"name": "demo-canary", "port": 80, "percent": 20}],
    }


def test_gateway_api_and_istio_mirror_to_the_canary(render: Render) -> None:
    (rule,) = render(CHART, ROUTERS["gatewayAPI"], SHADOW).one("HTTPRoute")["spec"]["rules"]
    mirror = {"backendRef": {"name": "demo-canary", "port": 80}, "percent": 20}
    assert rule["filters"] == [{"type": "RequestMirror", "requestMirror": mirror}]
    (primary,) = render(CHART, ROUTERS["istio"], SHADOW).one("VirtualService")["spec"]["http"]
    assert primary["mirror"] == {"host": "demo-canary", "port": {"number": 80}}
    assert primary["mirrorPercentage"] == {"value": 20}


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("strategy", [{}, HEADER, BLUE_GREEN])
def test_nothing_is_mirrored_by_another_strategy(
    render: Render, router: str, strategy: dict[str, Any]
) -> None:
    percent = {"strategy": {"shadow": {"percent": 20}}}
    objects = render(CHART, ROUTERS[router], percent, strategy)
    assert "mirror" not in json.dumps(objects.items).lower()


# --- refusals ---------------------------------------------------------------------------------------------------

TRAEFIK = ROUTERS["traefik"]
REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "gatewayAPI without a Gateway": (
        {"trafficRouter": "gatewayAPI", "route": {"host": "a.example.com"}},
        "trafficRouter",
        "route: {gateway: {name: NAME, namespace: NAMESPACE}}",
    ),
    "istio without a gateway": (
        {"trafficRouter": "istio", "route": {"host": "a.example.com"}},
        "trafficRouter",
        "route: {istio: {gateways: [NAMESPACE/NAME]}}",
    ),
    "no host": (
        merge(ROUTERS["istio"], {"route": {"host": ""}}),
        "trafficRouter",
        "route: {host: llm.example.com}",
    ),
    "ab without a router": (HEADER, "strategy.type", "trafficRouter: traefik"),
    "shadow without a router": (SHADOW, "strategy.type", "trafficRouter: traefik"),
    "header and cookie": (
        merge(TRAEFIK, HEADER, COOKIE),
        "strategy.ab",
        'strategy: {ab: {cookie: {name: ""}}}',
    ),
    "no mark": (
        merge(TRAEFIK, {"strategy": {"type": "ab"}}),
        "strategy.type",
        "strategy: {ab: {header: {name: x-model-version, value: next}}}",
    ),
    "header without a value": (
        merge(TRAEFIK, {"strategy": {"type": "ab", "ab": {"header": {"name": "x-version"}}}}),
        "strategy.ab.header.value",
        "strategy: {ab: {header: {value: next}}}",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_route_that_would_not_work_is_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


def test_refusals_name_keys_as_the_umbrella_spells_them(render: Render) -> None:
    values = {"trafficRouter": "gatewayAPI", "route": {"host": "a.example.com"}}
    with pytest.raises(RefusedError, match=r"write vllm-inference: \{route: \{gateway: .*\}\}\}"):
        render("llm-stack", {"vllm-inference": values})


@pytest.mark.parametrize("suffix", ["preview", "shadow", "ab"])
def test_a_name_that_another_release_would_use_is_refused(render: Render, suffix: str) -> None:
    with pytest.raises(RefusedError, match=f"demo-{suffix} ends in -{suffix}"):
        render(CHART, name=f"demo-{suffix}")


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"trafficRouter": "nginx"}, "/trafficRouter"),
        (merge(ROUTERS["istio"], {"route": {"istio": {"gateways": ["a/b/c"]}}}), "/route/istio/gateways/0"),
        (
            merge(ROUTERS["gatewayAPI"], {"route": {"sticky": {"cookie": "version"}}}),
            "/route/sticky/cookie",
        ),
        (merge(ROUTERS["istio"], {"route": {"tlsSecret": "cert"}}), "/route/tlsSecret"),
        (merge(TRAEFIK, {"route": {"sticky": {"cookie": "a b"}}}), "/route/sticky/cookie"),
        (merge(TRAEFIK, {"route": {"mirrorBodyMiB": 0}}), "/route/mirrorBodyMiB"),
        (
            merge(
                TRAEFIK, {"strategy": {"type": "ab", "ab": {"header": {"name": "x`) || (", "value": "a"}}}}
            ),
            "/strategy/ab/header/name",
        ),
        (
            merge(TRAEFIK, {"strategy": {"type": "ab", "ab": {"cookie": {"name": "x", "value": "a;b"}}}}),
            "/strategy/ab/cookie/value",
        ),
        (
            merge(TRAEFIK, {"strategy": {"type": "shadow", "shadow": {"percent": 0}}}),
            "/strategy/shadow/percent",
        ),
    ],
)
def test_the_schema_refuses_at_its_path(values: dict[str, Any], pointer: str) -> None:
    chart = CHARTS / CHART
    found = violations(chart, merge_values(archive(chart), [merge(MODEL, values)]))
    assert [one.pointer for one in found] == [pointer]
