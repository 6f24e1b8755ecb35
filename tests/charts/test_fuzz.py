"""Bad values end in a refusal that names the path, or in valid objects of the same kinds; never in anything else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmops.checks.reading.values_schema import violations as refused_values
from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.release import archive
from llmops.render import Renderer, Target
from llmops.render.manifest import parse
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, merge

pytestmark = pytest.mark.long

CHART = CHARTS / "vllm-inference"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
BASE: dict[str, Any] = {
    "global": {"llm": {"model": {"name": "demo", "source": "hf://Qwen/Qwen3-8B"}}},
    "trafficRouter": "traefik",
    "route": {"host": "demo.example.com"},
}
KINDS = {
    "Rollout", "Deployment", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget",
    "IngressRoute", "TraefikService", "Pod", "ConfigMap", "AnalysisTemplate", "ResourceClaimTemplate",
}  # fmt: skip
PAYLOADS: list[Any] = [
    None, "", 0, -1, 1.5, 2**31, 2**53 - 1, True, [], {}, [None], {"evil": True}, "x" * 5000, "中文 模型", "0", "1e3",
    "~",
    "x\nevil: true", "a: b # c", "{{ .Release.Name }}", "'\"\\", "\t", "*anchor", "- item", "latest\n---\nkind: Secret",
]  # fmt: skip
# A part of a pod that is taken as it is: `llmops check` judges it, as in anybody's manifest.
AS_IN_A_POD = "/spec/template/spec/affinity/"
CASES = 300
GO_WORDS = ("nil pointer", "executing", "runtime error", "bug of the chart")


def paths(schema: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key that the schema knows, by following properties and references."""
    reference = schema.get("$ref")
    if reference:
        target: Any = SCHEMA
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        yield from paths(target, at)
    for key, child in schema.get("properties", {}).items():
        yield (*at, key)
        yield from paths(child, (*at, key))


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value  # type: ignore[no-any-return]


# Where any text is welcome: items of lists and values of maps. Here an injection would show.
FREE: list[tuple[tuple[str, ...], Callable[[Any], Any]]] = [
    (("engine", "extraArgs"), lambda text: [text]),
    (("engine", "command"), lambda text: [text]),
    (("engine", "extraEnv"), lambda text: [{"name": "A", "value": text}]),
    (("podAnnotations",), lambda text: {"example.com/a": text}),
    (("service", "annotations"), lambda text: {"example.com/a": text}),
    (("scheduling", "nodeSelector"), lambda text: {"example.com/a": text}),
    (("podLabels",), lambda text: {"example.com/a": text}),
    (("route", "entryPoints"), lambda text: [text]),
    (("scheduling", "tolerations"), lambda text: [{"key": "a", "operator": "Equal", "value": text}]),
]
ALL = sorted(set(paths(SCHEMA)))
DRAW = random.Random(20)  # noqa: S311
SAMPLE = [(path, DRAW.choice(PAYLOADS)) for path in ALL]
SAMPLE += [(path, put(payload)) for path, put in FREE for payload in DRAW.sample(PAYLOADS, 12)]
SAMPLE += [(DRAW.choice(ALL), DRAW.choice(PAYLOADS)) for _ in range(CASES - len(SAMPLE))]
DRAW.shuffle(SAMPLE)


def test_the_fuzz_reaches_every_part_of_the_schema() -> None:
    assert len(ALL) > 80
    assert len(SAMPLE) >= CASES
    assert {path[0] for path, _ in SAMPLE} == set(SCHEMA["properties"])


@pytest.mark.parametrize("chunk", range(6))
def test_any_value_is_refused_by_path_or_gives_valid_objects(renderer: Renderer, chunk: int) -> None:
    package = archive(CHART)
    outcomes = {"refused": 0, "valid": 0}
    for path, payload in SAMPLE[chunk::6]:
        values = merge(BASE, nested(path, payload))
        case = f"{'.'.join(path)} = {payload!r:.60}"
        try:
            seen = merge_values(package, [values])
        except RefusedError:
            seen = values  # a value where the chart has a mapping
        refusals = refused_values(CHART, seen)
        if refusals:
            outcomes["refused"] += 1
            # The pointer leads to the key, to something inside or around it, or to a key that has to come along.
            around = path[:-1] or path
            near = [v for v in refusals if same_branch(v.pointer, around) or path[-1] in v.message]
            assert near, f"{case}: {refusals}"
            continue
        try:
            rendered = renderer.render(package, [values], Target(name="fuzz"))
            refusal = ""
        except RefusedError as error:
            refusal = error.message
        if refusal:
            outcomes["refused"] += 1
            assert any(part in refusal for part in path[-2:]), f"{case}: {refusal}"
            assert not [words for words in GO_WORDS if words in refusal], f"{case}: {refusal}"
            continue
        outcomes["valid"] += 1
        objects = [obj for source, text in rendered.templates.items() for obj in parse(text, source)]
        assert {obj.kind for obj in objects} <= KINDS, case
        found = [v for obj in objects for v in violations(obj, "1.35.0")]
        assert not [v for v in found if not v.pointer.startswith(AS_IN_A_POD)], case
    assert outcomes["refused"] >= 10
    assert outcomes["valid"] >= 3


def same_branch(pointer: str, path: tuple[str, ...]) -> bool:
    found = tuple(part for part in pointer.split("/") if part)
    shorter = min(len(found), len(path))
    return found[:shorter] == path[:shorter]
