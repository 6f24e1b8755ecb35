"""What the values schema refuses because the API server or the Rollouts controller would: one case each."""

from __future__ import annotations

from typing import Any

import pytest

from llmops.checks.reading.values_schema import violations
from llmops.release import archive
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, llm, merge

CHART = CHARTS / "vllm-inference"


ROUTED: dict[str, Any] = {"trafficRouter": "traefik", "route": {"host": "a.example.com"}}


def surge(preset: str, router: dict[str, Any] | None = None, **strategy: Any) -> dict[str, Any]:
    return {**(router or {}), "strategy": {"surge": preset, **strategy}}


SIGNED: dict[str, Any] = {
    "method": "key",
    "image": "r.example.com/sign:1.1.1",
    "configMap": "signer",
    "key": "a.pub",
}
PROXY: dict[str, Any] = {"image": "r.example.com/proxy:v0.10.0"}


def without(values: dict[str, Any], key: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key} | more


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "steps of a Deployment": (
        {"workload": "Deployment", "strategy": {"steps": [{"setWeight": 1}]}},
        "/strategy/steps",
    ),
    "nothing may move": ({"strategy": {"maxSurge": 0, "maxUnavailable": 0}}, "/strategy/maxUnavailable"),
    "nothing may move in a Deployment behind a router": (
        {
            "workload": "Deployment",
            "trafficRouter": "traefik",
            "route": {"host": "a.example.com"},
            "strategy": {"maxSurge": 0},
        },
        "/strategy/maxUnavailable",
    ),
    "dynamic scale without a router": (
        {"strategy": {"dynamicStableScale": True}},
        "/strategy/dynamicStableScale",
    ),
    "blue-green of a Deployment": (
        {"workload": "Deployment", "strategy": {"type": "blueGreen"}},
        "/strategy/type",
    ),
    "surge of a Deployment": ({"workload": "Deployment", **surge("instantAbort", ROUTED)}, "/strategy/surge"),
    "nothing may move, written once": ({"strategy": {"maxSurge": 0}}, "/strategy/maxUnavailable"),
    "instant abort without a router": (surge("instantAbort"), "/trafficRouter"),
    "one spare without a router": (surge("oneSpare"), "/trafficRouter"),
    "no spare behind a router": (surge("zeroSpare", ROUTED), "/trafficRouter"),
    "no spare and a surge": (surge("zeroSpare", maxSurge=1), "/strategy/maxSurge"),
    "no spare and nothing missing": (surge("zeroSpare", maxUnavailable=0), "/strategy/maxUnavailable"),
    "instant abort of a stable version that shrinks": (
        surge("instantAbort", ROUTED, dynamicStableScale=True),
        "/strategy/dynamicStableScale",
    ),
    "steps of blue-green": (
        {"strategy": {"type": "blueGreen", "steps": [{"setWeight": 10}]}},
        "/strategy/steps",
    ),
    "surge of blue-green": (
        {**ROUTED, "strategy": {"type": "blueGreen", "surge": "oneSpare"}},
        "/strategy/surge",
    ),
    "blue-green whose old version shrinks": (
        {**ROUTED, "strategy": {"type": "blueGreen", "dynamicStableScale": True}},
        "/strategy/dynamicStableScale",
    ),
    "shadow beside a stable version that shrinks": (
        {**ROUTED, "strategy": {"type": "shadow", "dynamicStableScale": True}},
        "/strategy/dynamicStableScale",
    ),
    "A/B with one spare": ({**ROUTED, "strategy": {"type": "ab", "surge": "oneSpare"}}, "/strategy/surge"),
    "warm what has shrunk": (
        {**ROUTED, "strategy": {"dynamicStableScale": True, "warmSeconds": 600}},
        "/strategy/warmSeconds",
    ),
    "warm with one spare": (surge("oneSpare", ROUTED, warmSeconds=600), "/strategy/warmSeconds"),
    "warm without a router": ({"strategy": {"warmSeconds": 600}}, "/strategy/warmSeconds"),
    "preview of a canary": ({"strategy": {"previewReplicas": 1}}, "/strategy/previewReplicas"),
    "careful without a router": ({"strategy": {"steps": "careful"}}, "/strategy/steps"),
    "unknown steps": ({"strategy": {"steps": "bold"}}, "/strategy/steps"),
    "a gate with a setting": (
        {"strategy": {"steps": [{"gate": {"looks": 3}}]}},
        "/strategy/steps/0/gate",
    ),
    "a mirror step": ({"strategy": {"steps": [{"setMirrorRoute": {}}]}}, "/strategy/steps/0/setMirrorRoute"),
    "unknown gate": ({"gates": {"signals": ["cost"]}}, "/gates/signals/0"),
    "gate twice": ({"gates": {"signals": ["ttft", "ttft"]}}, "/gates/signals"),
    "certain to abort": ({"gates": {"alpha": 1}}, "/gates/alpha"),
    "two actions in a step": ({"strategy": {"steps": [{"setWeight": 1, "pause": {}}]}}, "/strategy/steps/0"),
    "weight over 100": ({"strategy": {"steps": [{"setWeight": 101}]}}, "/strategy/steps/0/setWeight"),
    "Exists with a value": (
        {"scheduling": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
        "/scheduling/tolerations/0/value",
    ),
    "Equal without a key": (
        {"scheduling": {"tolerations": [{"operator": "Equal", "value": "b"}]}},
        "/scheduling/tolerations/0/key",
    ),
    "seconds without NoExecute": (
        {"scheduling": {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]}},
        "/scheduling/tolerations/0/effect",
    ),
    "no such network": (
        {"networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}]}},
        "/networkPolicy/extraEgress/0/to/0/ipBlock/cidr",
    ),
    "no such port": (
        {"networkPolicy": {"extraEgress": [{"ports": [{"port": 70000}]}]}},
        "/networkPolicy/extraEgress/0/ports/0/port",
    ),
    "a port without a name": (
        {"networkPolicy": {"extraEgress": [{"ports": [{"port": ""}]}]}},
        "/networkPolicy/extraEgress/0/ports/0/port",
    ),
    "a range that begins nowhere": (
        {"networkPolicy": {"extraEgress": [{"ports": [{"endPort": 9000}]}]}},
        "/networkPolicy/extraEgress/0/ports/0/port",
    ),
    "a range that begins at a name": (
        {"networkPolicy": {"extraEgress": [{"ports": [{"port": "http", "endPort": 9000}]}]}},
        "/networkPolicy/extraEgress/0/ports/0/port",
    ),
    "block and pods in one peer": (
        {"networkPolicy": {"allowFrom": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}},
        "/networkPolicy/allowFrom/0",
    ),
    "variable from nowhere": (
        {"engine": {"extraEnv": [{"name": "A", "valueFrom": {}}]}},
        "/engine/extraEnv/0/valueFrom",
    ),
    "version that is no label": (llm(release={"version": "1.0.0-rc."}), "/global/llm/release/version"),
    "port of a hub": (
        llm(environment={"hubEndpoint": "http://h:99999"}),
        "/global/llm/environment/hubEndpoint",
    ),
    "port of a registry": ({"image": {"registry": "reg:99999"}}, "/image/registry"),
    "name of a Secret": ({"imagePullSecrets": ["A_b"]}, "/imagePullSecrets/0"),
    "no CPU": ({"resources": {"cpu": "0"}}, "/resources/cpu"),
    "label value": ({"podLabels": {"a": "x y"}}, "/podLabels/a"),
    "revision that is a branch": (llm(model={"revision": "main"}), "/global/llm/model/revision"),
    "prefill that nobody is sent to": ({"split": {"prefill": {"replicas": 1}}}, "/split/proxy"),
    "a sidecar with nobody to ask": ({"split": {"proxy": PROXY}}, "/split/prefill"),
    "prefill without a count": (
        {"split": {"prefill": {"tensor": 1}, "proxy": PROXY}},
        "/split/prefill/replicas",
    ),
    "no prefill server": ({"split": {"prefill": {"replicas": 0}, "proxy": PROXY}}, "/split/prefill/replicas"),
    "a context of its own": (
        {"split": {"prefill": {"replicas": 1, "maxModelLen": 1}, "proxy": PROXY}},
        "/split/prefill/maxModelLen",
    ),
    "a sidecar without a version": (
        {"split": {"prefill": {"replicas": 1}, "proxy": {"image": "r.example.com/proxy"}}},
        "/split/proxy/image",
    ),
    "a signature that nobody checks": ({"signature": without(SIGNED, "image")}, "/signature/image"),
    "a signature without a key": ({"signature": without(SIGNED, "configMap")}, "/signature/configMap"),
    "a signature of any kind": ({"signature": without(SIGNED, "method")}, "/signature/method"),
    "a signature of anybody": (
        {"signature": {**SIGNED, "method": "sigstore", "identity": "a@example.com"}},
        "/signature/identityProvider",
    ),
    "a name beside a key": ({"signature": {**SIGNED, "identity": "a@example.com"}}, "/signature/identity"),
    "a signature outside the model": ({"signature": {**SIGNED, "file": "../model.sig"}}, "/signature/file"),
    "an odd way to sign": ({"signature": {**SIGNED, "method": "pgp"}}, "/signature/method"),
    "no such quantization": (llm(model={"quantization": "w3a3"}), "/global/llm/model/quantization"),
    "revision that YAML made a number": (llm(model={"revision": 12e45}), "/global/llm/model/revision"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_its_path(case: str) -> None:
    values, pointer = REFUSED[case]
    found = violations(CHART, merge_values(archive(CHART), [merge(MODEL, values)]))
    assert [one.pointer for one in found] == [pointer]
    assert "\n" not in found[0].message


@pytest.mark.parametrize(
    "values",
    [
        {
            "scheduling": {
                "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute"}]
            }
        },
        {
            "networkPolicy": {
                "extraEgress": [{"to": [{"ipBlock": {"cidr": "2001:db8::/32"}}], "ports": [{"port": "web"}]}]
            }
        },
        {"workload": "Deployment", "strategy": {"maxSurge": 0, "maxUnavailable": 1}},
        {"workload": "Deployment", "strategy": {"surge": "single", "steps": "careful"}},
        {"strategy": {"type": "blueGreen", "warmSeconds": 600, "previewReplicas": 1, "steps": "careful"}},
        surge("zeroSpare", maxSurge=0, maxUnavailable=1),
        {"gates": {"signals": []}},
        {"resources": {"cpu": 16}},
        {"resources": {"cpu": "500m"}},
        llm(release={"version": "1.0.0-rc.1"}),
        {"split": {"prefill": {"replicas": 1}, "proxy": PROXY}},
        {"split": {}, "signature": {}},
        {"signature": SIGNED},
        {
            "signature": {
                **SIGNED,
                "method": "sigstore",
                "identity": "a@b.c",
                "identityProvider": "https://b.c/x",
            }
        },
        llm(environment={"registry": "reg.example.com:65535/mirror", "hubEndpoint": "https://h:8443/x"}),
    ],
)
def test_what_is_right_passes(values: dict[str, Any]) -> None:
    assert not violations(CHART, merge_values(archive(CHART), [merge(MODEL, values)]))
