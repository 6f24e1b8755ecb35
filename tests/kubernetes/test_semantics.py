"""What the API server refuses beyond the schema: its recorded verdicts replayed, and our own charts.

`make test-oracle` asks a live API server; `python -m tests.oracle.record` writes the corpus anew.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmops.kubernetes import semantics
from llmops.references import unescaped
from tests.oracle import seeds

MINOR = 35  # whose verdicts are recorded
CASES = [
    json.loads(line) for line in Path(__file__).with_name("semantics_cases.jsonl").read_text().splitlines()
]
BASES = {f"{one['kind']}/{one['metadata']['name']}": one for one in seeds.handwritten()}


def changed(base: str, pointer: str, value: Any) -> dict[str, Any]:
    """A seed object with another value at one place."""
    obj = copy.deepcopy(BASES[base])
    node: Any = obj
    *path, last = [unescaped(part) for part in pointer.split("/")[1:]]
    for part in path:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if value == "absent":
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return obj


def test_the_recorded_verdicts_of_the_api_server_are_ours() -> None:
    differing = [case for case in CASES if bool(semantics.problems(changed(*case[:3]), MINOR)) != case[3]]
    assert differing == []


def test_the_corpus_holds_both_verdicts_of_every_kind_of_seed() -> None:
    kinds = Counter((case[0].partition("/")[0], case[3]) for case in CASES)
    assert {kind for kind, refused in kinds if refused} >= {"Deployment", "Service", "Job", "Ingress", "Role"}
    assert {kind for kind, refused in kinds if not refused} >= {
        "Deployment",
        "Service",
        "Job",
        "Ingress",
        "Role",
    }
    assert len(CASES) > 150


@pytest.mark.long
def test_what_is_valid_gives_no_problem() -> None:
    """The hand-written seeds and all that our charts render: the oracle takes each of them."""
    for obj in [*BASES.values(), *seeds.rendered()]:
        assert semantics.problems(obj, MINOR) == [], (obj["kind"], obj["metadata"]["name"])


@pytest.mark.parametrize(
    ("obj", "pointer", "said", "fix"),
    [
        (
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "a"},
                "spec": {"ports": [{"port": 70000}]},
            },
            "/spec/ports/0/port",
            "spec.ports[0].port must be at most 65535, not 70000.",
            "Write 65535 or less.",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a/b": ""}},
            "/data/a~1b",
            'data["a/b"] as a key is no key of a ConfigMap or Secret.',
            "Write letters, digits, '-', '_' and '.'.",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Flags"}},
            "/metadata/name",
            'metadata.name is "Flags", which is no DNS name.',
            "Write lower-case letters, digits and '-', with a letter or digit at both ends; '.' separates parts.",
        ),
    ],
)
def test_a_problem_names_the_field_and_what_to_write(
    obj: dict[str, Any], pointer: str, said: str, fix: str
) -> None:
    (problem,) = semantics.problems(obj, MINOR)
    assert (problem.pointer, problem.message, problem.fix) == (pointer, said, fix)


@pytest.mark.parametrize(
    ("schedule", "refused"),
    [
        ("0 3 * * *", False), ("*/5 0-6/2 1,15 jan-MAR mon", False), ("@daily", False), ("@every 1h30m", False),
        ("0 3 * *", True), ("60 3 * * *", True), ("0 3 0 * *", True), ("0 3 * 13 *", True), ("5-1 * * * *", True),
        ("@fortnightly", True), ("*/0 * * * *", True), ("TZ=UTC 0 3 * * *", True),
    ],
)  # fmt: skip
def test_schedules(schedule: str, refused: bool) -> None:
    obj = copy.deepcopy(BASES["CronJob/cron"])
    obj["spec"]["schedule"] = schedule
    assert bool(semantics.problems(obj, MINOR)) == refused


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ("1", False),
        ("500m", True),
        ("1e3", False),
        ("0.5", True),
        ("1Ki", False),
        ("-1", True),
        ("1 GB", True),
    ],
)
def test_extended_resources_are_whole(given: str, refused: bool) -> None:
    obj = copy.deepcopy(BASES["Deployment/containers"])
    (container, _) = obj["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {"nvidia.com/gpu": given}}
    container["env"] = []
    assert bool(semantics.problems(obj, MINOR)) == refused
