"""How a new version comes in: strategies, step presets and surge presets as the Rollouts controller gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmops.canary.durations import policy as gate_policy
from llmops.findings import RefusedError
from llmops.kubernetes import crds
from llmops.kubernetes.schema import Schema
from tests.charts.conftest import Objects, Render, merge, refused

CHART = "vllm-inference"
TRAEFIK: dict[str, Any] = {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}
GATEWAY: dict[str, Any] = {
    "trafficRouter": "gatewayAPI",
    "route": {"host": "demo.example.com", "gateway": {"name": "edge"}},
}
ISTIO: dict[str, Any] = {
    "trafficRouter": "istio",
    "route": {"host": "demo.example.com", "istio": {"gateways": ["edge"]}},
}
GATE: dict[str, Any] = {
    "global": {
        "llm": {
            "components": {"monitoring": True},
            "environment": {"gate": {"url": "http://gate.monitoring:8080"}},
        }
    }
}
QUALITY = {"quality": {"enabled": True, "goldenSet": {"configMap": "golden"}}}
NO_SMOKE = {"smoke": {"enabled": False}}
AB = {"strategy": {"type": "ab", "ab": {"header": {"name": "x-version", "value": "next"}, "replicas": 2}}}


def way(objects: Objects) -> list[str]:
    """The steps in short: "10 %", "gate 0 compare", "smoke", "pause 5m", "pause", "scale 1 servers"."""
    return [short(step) for step in objects.workload["spec"]["strategy"]["canary"]["steps"]]


def short(step: dict[str, Any]) -> str:
    ((kind, what),) = step.items()
    if kind == "setWeight":
        return f"{what} %"
    if kind == "pause":
        return f"pause {what['duration']}" if what else "pause"
    if kind == "setCanaryScale":
        if "replicas" in what:
            return f"scale {what['replicas']} servers"
        return f"scale {what['weight']} %" if "weight" in what else "scale by weight"
    assert kind == "analysis"
    given = {arg["name"]: arg.get("value", arg.get("valueFrom")) for arg in what["args"]}
    assert given.pop("canary-hash") == {"podTemplateHashValue": "Latest"}
    assert given.pop("stable-hash") == {"podTemplateHashValue": "Stable"}
    (template,) = what["templates"]
    return " ".join([template["templateName"].removeprefix("demo-"), *given.values()])


def strategy(objects: Objects) -> dict[str, Any]:
    ((_, found),) = objects.workload["spec"]["strategy"].items()
    return found  # type: ignore[no-any-return]


# --- steps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("gray", ["10 %", "gate 0 compare", "100 %", "gate 1 absolute"]),
        (
            "classic",
            ["20 %", "gate 0 compare", "40 %", "gate 1 compare", "100 %", "gate 2 absolute"],
        ),
        (
            "careful",
            [
                "scale 1 servers",
                "smoke",
                "5 %",
                "scale by weight",
                "gate 0 compare",
                "25 %",
                "gate 1 compare",
                "50 %",
                "gate 2 compare",
                "100 %",
                "gate 3 absolute",
            ],
        ),
        (
            [{"setWeight": 25}, {"gate": {}}, {"pause": {"duration": 60}}],
            ["25 %", "gate 0 compare", "pause 60", "100 %", "gate 1 absolute"],
        ),
        # A gate of one's own at 100 % is the watch.
        (
            [{"setWeight": 50}, {"setWeight": 100}, {"gate": {}}],
            ["50 %", "100 %", "gate 0 absolute"],
        ),
    ],
)
def test_steps_with_a_gate(render: Render, steps: Any, expected: list[str]) -> None:
    assert way(render(CHART, TRAEFIK, GATE, {"strategy": {"steps": steps}})) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("gray", ["10 %", "pause 7m", "100 %"]),
        ([], ["10 %", "pause 7m", "100 %"]),
        ("classic", ["20 %", "pause 7m", "40 %", "pause 60s", "100 %"]),
        ([{"setWeight": 25}, {"gate": {}}], ["25 %", "pause 7m"]),
        ([{"setWeight": 25}, {"pause": {}}], ["25 %", "pause"]),
    ],
)
@pytest.mark.parametrize(
    "without",
    [
        {},
        {"global": {"llm": {"components": {"monitoring": True}}}},
        merge(GATE, {"global": {"llm": {"components": {"monitoring": False}}}}),
        merge(GATE, {"gates": {"signals": []}}),
    ],
)
def test_where_no_gate_can_be_asked_time_passes_instead(
    render: Render, without: dict[str, Any], steps: Any, expected: list[str]
) -> None:
    objects = render(CHART, TRAEFIK, NO_SMOKE, without, {"strategy": {"steps": steps, "pause": "7m"}})
    assert way(objects) == expected
    assert not objects.all("AnalysisTemplate")


def test_a_basic_canary_has_the_same_gates(render: Render) -> None:
    assert way(render(CHART, GATE)) == ["10 %", "gate 0 compare", "100 %", "gate 1 absolute"]


@pytest.mark.parametrize("steps", ["gray", "classic", "careful", [{"setWeight": 30}]])
def test_a_person_is_asked_once_and_before_all_traffic(render: Render, steps: Any) -> None:
    for layer in ({}, GATE):
        told = way(render(CHART, TRAEFIK, layer, {"strategy": {"steps": steps, "approval": True}}))
        assert told.count("pause") == 1
        weights = [
            step for step in told[: told.index("pause")] if step.endswith("0 %") and "scale" not in step
        ]
        assert weights
        assert "100 %" not in weights


def test_a_pause_of_the_list_is_the_approval(render: Render) -> None:
    own = {"strategy": {"approval": True, "steps": [{"setWeight": 30}, {"pause": {}}, {"setWeight": 60}]}}
    assert way(render(CHART, TRAEFIK, own)) == ["30 %", "pause", "60 %"]


def test_the_first_scale_of_careful_is_enough_for_its_first_weight(render: Render) -> None:
    objects = render(CHART, TRAEFIK, GATE, {"replicas": 41, "strategy": {"steps": "careful"}})
    assert way(objects)[:4] == ["scale 3 servers", "smoke", "5 %", "scale by weight"]


def test_the_quality_gate_stands_behind_the_smoke_test(render: Render) -> None:
    told = way(render(CHART, TRAEFIK, GATE, QUALITY, {"strategy": {"steps": "careful"}}))
    assert told[:4] == ["scale 1 servers", "smoke", "quality", "5 %"]
    own = {"strategy": {"steps": [{"setCanaryScale": {"replicas": 1}}, {"quality": {}}, {"setWeight": 50}]}}
    assert way(render(CHART, TRAEFIK, GATE, QUALITY, own))[1] == "quality"


def test_watching_can_be_left_out(render: Render) -> None:
    told = way(render(CHART, TRAEFIK, GATE, {"strategy": {"watchMinutes": 0}}))
    assert told == ["10 %", "gate 0 compare", "100 %"]


# --- strategies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("router", "routing"),
    [
        (TRAEFIK, {"traefik": {"weightedTraefikServiceName": "demo"}}),
        (GATEWAY, {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "demo", "namespace": "models"}}}),
        (ISTIO, {"istio": {"virtualService": {"name": "demo", "routes": ["primary"]}}}),
    ],
)
def test_the_controller_writes_weights_into_the_route_of_the_router(
    render: Render, router: dict[str, Any], routing: dict[str, Any]
) -> None:
    canary = strategy(render(CHART, router, namespace="models"))
    assert canary["trafficRouting"] == routing
    assert (canary["stableService"], canary["canaryService"]) == ("demo", "demo-canary")


def test_marked_requests_meet_the_new_version_until_a_person_decides(render: Render) -> None:
    assert way(render(CHART, TRAEFIK, GATE, AB, {"replicas": 3})) == [
        "scale 2 servers",
        "smoke",
        "gate 0 absolute",
        "pause",
        "10 %",
        "gate 1 compare",
        "scale 100 %",
        "100 %",
        "scale by weight",
        "gate 2 absolute",
    ]


def test_a_shadow_has_servers_for_copies_and_share(render: Render) -> None:
    shadow = {"replicas": 10, "strategy": {"type": "shadow", "shadow": {"percent": 20}, "steps": "classic"}}
    assert way(render(CHART, TRAEFIK, GATE, shadow)) == [
        "scale 20 %",
        "smoke",
        "gate 0 compare",
        "scale 40 %",
        "20 %",
        "gate 1 compare",
        "scale 60 %",
        "40 %",
        "gate 2 compare",
        "scale 100 %",
        "100 %",
        "scale by weight",
        "gate 3 absolute",
    ]


def test_blue_green_tests_then_turns_then_watches(render: Render) -> None:
    objects = render(
        CHART,
        GATE,
        {"strategy": {"type": "blueGreen", "previewReplicas": 1, "warmSeconds": 1800, "approval": True}},
    )
    blue_green = strategy(objects)
    assert (blue_green["activeService"], blue_green["previewService"]) == ("demo", "demo-preview")
    assert blue_green["previewReplicaCount"] == 1
    assert blue_green["autoPromotionEnabled"] is False
    assert short({"analysis": blue_green["prePromotionAnalysis"]}) == "smoke"
    assert short({"analysis": blue_green["postPromotionAnalysis"]}) == "gate 0 absolute"
    assert blue_green["scaleDownDelaySeconds"] == 1800
    assert blue_green["abortScaleDownDelaySeconds"] >= 30
    (metric, *_) = objects.one("AnalysisTemplate", "demo-gate")["spec"]["metrics"]
    policy = gate_policy(metric)
    assert (policy["looks"], policy["modes"]) == ([20], ["absolute"])
    plain = strategy(render(CHART, NO_SMOKE, {"strategy": {"type": "blueGreen"}}))
    assert plain["autoPromotionEnabled"] is True
    assert "Analysis" not in str(plain)


def test_the_deadline_of_blue_green_holds_its_tests(render: Render) -> None:
    """Measured: the controller's clock goes on while the version is tested, and stops in an analysis of a canary."""

    def deadline(*layers: dict[str, Any]) -> int:
        spec = render(CHART, *layers).workload["spec"]
        return int(spec["progressDeadlineSeconds"])

    def jobs(*layers: dict[str, Any]) -> list[int]:
        return [
            metric["provider"]["job"]["spec"]["activeDeadlineSeconds"]
            for template in render(CHART, *layers).all("AnalysisTemplate")
            for metric in template["spec"]["metrics"]
            if "job" in metric["provider"]
        ]

    turn = {"strategy": {"type": "blueGreen"}}
    bare = deadline(NO_SMOKE, turn)
    assert deadline(GATE, {"strategy": {"type": "canary"}}) == bare
    assert deadline(GATE, turn) >= bare + max(jobs(GATE, turn))
    assert len(jobs(GATE, turn, QUALITY)) == 2
    assert deadline(GATE, turn, QUALITY) >= bare + max(jobs(GATE, turn, QUALITY))


def test_old_servers_outlive_their_streams_however_short_the_warm_window_is(render: Render) -> None:
    lifecycle = {"lifecycle": {"longestStreamSeconds": 300, "preStopSeconds": 20}}
    for layer in (TRAEFIK, {"strategy": {"type": "blueGreen"}}):
        for warm, kept in ((0, 335), (60, 335), (900, 900)):
            found = strategy(render(CHART, layer, lifecycle, {"strategy": {"warmSeconds": warm}}))
            assert found["scaleDownDelaySeconds"] == kept
            assert found["scaleDownDelayRevisionLimit"] == 1


def test_a_rollback_skips_gates_only_where_the_values_say_so(render: Render) -> None:
    assert "rollbackWindow" not in render(CHART).workload["spec"]
    spec = render(CHART, {"strategy": {"rollbackRevisions": 2}}).workload["spec"]
    assert spec["rollbackWindow"] == {"revisions": 2}
    assert spec["rollbackWindow"]["revisions"] < spec["revisionHistoryLimit"]


def test_a_stopped_version_leaves_the_configuration_of_the_old_one_alone(render: Render) -> None:
    # Engines mount nothing that an upgrade changes in place: all that they read is part of the pod template.
    pod = render(CHART, TRAEFIK, GATE).pod
    assert "configMap" not in json.dumps(pod)
    assert "envFrom" not in json.dumps(pod)


ALL_WAYS: dict[str, dict[str, Any]] = {
    "basic": {},
    "careful": merge(TRAEFIK, {"strategy": {"steps": "careful", "approval": True}}),
    "one spare": merge(TRAEFIK, {"replicas": 3, "strategy": {"surge": "oneSpare"}}),
    "gateway": GATEWAY,
    "istio": ISTIO,
    "A/B": merge(TRAEFIK, AB),
    "shadow": merge(TRAEFIK, {"strategy": {"type": "shadow"}}),
    "blue-green": {"strategy": {"type": "blueGreen", "previewReplicas": 1}},
}


@pytest.mark.parametrize("name", ALL_WAYS)
def test_the_api_takes_every_way_and_no_step_is_one_that_routers_ignore(render: Render, name: str) -> None:
    objects = render(CHART, GATE, ALL_WAYS[name])
    for item in [objects.workload, *objects.all("AnalysisTemplate")]:
        file = crds.path(item["apiVersion"], item["kind"])
        assert file
        assert Schema(json.loads(file.read_text())).violations(item) == []
    text = json.dumps(objects.items)
    assert "setHeaderRoute" not in text
    assert "setMirrorRoute" not in text


# --- surge ------------------------------------------------------------------------------------------------------


def test_one_spare_moves_one_server_at_a_time(render: Render) -> None:
    four = render(CHART, TRAEFIK, GATE, {"replicas": 4, "strategy": {"surge": "oneSpare", "approval": True}})
    assert way(four) == [
        "25 %",
        "gate 0 compare",
        "50 %",
        "75 %",
        "pause",
        "100 %",
        "gate 1 absolute",
    ]
    assert strategy(four)["dynamicStableScale"] is True
    three = render(CHART, TRAEFIK, {"replicas": 3, "strategy": {"surge": "oneSpare"}})
    assert way(three) == [
        "scale 33 %",
        "34 %",
        "pause 5m",
        "scale 66 %",
        "67 %",
        "scale 100 %",
        "100 %",
    ]


def test_surge_presets_without_a_router(render: Render) -> None:
    zero = strategy(render(CHART, {"strategy": {"surge": "zeroSpare"}}))
    assert (zero["maxSurge"], zero["maxUnavailable"]) == (0, 1)
    single = render(CHART, {"workload": "Deployment", "replicas": 1, "strategy": {"surge": "single"}})
    assert single.workload["spec"]["strategy"] == {"type": "Recreate"}
    spare = render(CHART, {"replicas": 1, "strategy": {"type": "blueGreen", "surge": "single"}}, notes=True)
    assert "2 GPUs at the peak" in spare.notes


def surge(preset: str, replicas: int = 2, *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return merge({"replicas": replicas, "strategy": {"surge": preset, **more}}, *layers)


def steps(*given: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"steps": list(given)}}


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "steps that move more than one server": (
        surge("oneSpare", 4, TRAEFIK, steps="classic"),
        "strategy.steps",
        "setWeight 25, 50, 75, 100",
    ),
    "steps that jump at the end": (
        surge("oneSpare", 5, TRAEFIK, steps=[{"setWeight": 20}, {"setWeight": 40}]),
        "strategy.steps",
        "setWeight 20, 40, 60, 80, 100",
    ),
    "one spare for one server": (
        surge("oneSpare", 1, TRAEFIK),
        "strategy.surge",
        "strategy: {surge: instantAbort}",
    ),
    "one spare under an autoscaler": (
        merge(
            TRAEFIK,
            {"strategy": {"surge": "oneSpare"}},
            {"global": {"llm": {"components": {"autoscaling": True}}}},
        ),
        "strategy.surge",
        "strategy: {surge: instantAbort}",
    ),
    "no spare with one server": (
        surge("zeroSpare", 1),
        "strategy.surge",
        "global: {llm: {replicas: {min: 2}}}",
    ),
    "single with two servers": (
        surge("single", 2, {"workload": "Deployment"}),
        "strategy.surge",
        "remove it",
    ),
    "a canary of one server": (
        surge("single", 1),
        "strategy.surge",
        "strategy: {type: blueGreen}",
    ),
    "all requests to one canary server": (
        merge(TRAEFIK, steps({"setCanaryScale": {"replicas": 1}}, {"setWeight": 100})),
        "strategy.steps",
        "setCanaryScale: {matchTrafficWeight: true}",
    ),
    "a gate without requests": (
        merge(TRAEFIK, steps({"setCanaryScale": {"replicas": 1}}, {"gate": {}})),
        "strategy.steps",
        "setWeight: 10",
    ),
    "a smoke test without a Service": (
        steps({"setWeight": 20}, {"smoke": {}}),
        "strategy.steps",
        "trafficRouter: traefik",
    ),
    "a smoke test that is off": (
        merge(TRAEFIK, NO_SMOKE, steps({"setWeight": 20}, {"smoke": {}})),
        "strategy.steps",
        "smoke: {enabled: true}",
    ),
    "a quality gate that is off": (
        merge(TRAEFIK, GATE, steps({"setWeight": 20}, {"quality": {}})),
        "strategy.steps",
        "quality: {enabled: true}",
    ),
    "a preview larger than the release": (
        {"strategy": {"type": "blueGreen", "previewReplicas": 3}},
        "strategy.previewReplicas",
        "strategy: {previewReplicas: 2}",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_work_is_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


@pytest.mark.parametrize("suffix", ["-gate", "-smoke", "-quality"])
def test_a_name_that_a_template_of_another_release_has_is_refused(render: Render, suffix: str) -> None:
    with pytest.raises(RefusedError, match="choose another name"):
        render(CHART, name=f"qwen{suffix}")


# --- notes ------------------------------------------------------------------------------------------------------


def test_notes_say_the_way_the_gates_and_what_to_do_when_it_holds(render: Render) -> None:
    notes = render(
        CHART, TRAEFIK, GATE, {"strategy": {"steps": "careful", "approval": True}}, notes=True
    ).notes
    assert (
        "Steps: 1 server without traffic, smoke, 5 %, gate, 25 %, gate, 50 %, gate, a person, 100 %, gate."
        in notes
    )
    assert "at http://gate.monitoring:8080 stop it" in notes
    assert "for 20 x 30 s" in notes
    status = "kubectl -n default patch rollout demo --subresource=status --type=merge -p"
    for change in (
        '{"status":{"pauseConditions":null}}',
        '{"status":{"pauseConditions":null,"controllerPause":false,"currentStepIndex":INDEX}}',
        '{"status":{"abort":true}}',
        '{"status":{"abort":false}}',
    ):
        assert f"{status} '{change}'" in notes
    plain = render(CHART, {"strategy": {"pause": 300}}, notes=True).notes
    assert "Steps: 10 %, pause 300, 100 %." in plain
    assert "No gates: time passes instead." in plain
    dry = render(CHART, GATE, {"gates": {"dryRun": True}}, notes=True).notes
    assert "stop it never: gates.dryRun is set" in dry
    assert "patch rollout" not in render(CHART, {"workload": "Deployment"}, notes=True).notes
