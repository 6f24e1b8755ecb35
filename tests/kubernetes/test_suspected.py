"""The one question that stands for all policies lets no object pass that the API server refused."""

from __future__ import annotations

from typing import Any

import pytest

from llmops.kubernetes import admission
from llmops.kubernetes.admission import Policy, suspected
from tests.policies import corpus

CASES = corpus.stored()


def matching(data: dict[str, Any]) -> tuple[Policy, ...]:
    group = data["apiVersion"].rpartition("/")[0]
    return tuple(one for one in admission.policies() if one.matches(group, data["kind"]))


def test_whoever_refused_an_object_on_the_api_server_is_suspected() -> None:
    refused = 0
    for case in CASES:
        names = {one.name for one in suspected(matching(case["object"]), case["object"])}
        assert names >= set(case["said"]), case["object"]["metadata"]["name"]
        refused += bool(case["said"])
    assert refused >= 50


def test_of_most_objects_that_were_let_pass_nobody_is_suspected() -> None:
    """Else the question would be one more, and spare none."""
    fine = [case["object"] for case in CASES if not case["said"]]
    spared = [data for data in fine if not suspected(matching(data), data)]
    assert len(spared) >= 0.9 * len(fine) >= 50


@pytest.mark.parametrize(
    "data",
    [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": 7}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "x"},
            "spec": {"template": None},
        },
    ],
)
def test_where_the_question_has_no_answer_all_are_suspected_or_none_refuses(data: dict[str, Any]) -> None:
    found = suspected(matching(data), data)
    alone = [one for one in matching(data) if one not in found]
    # Whom the question cleared must clear the object when asked by itself.
    assert [one.name for one in alone if one.judge(admission.Subject(data))] == []


def test_nobody_is_suspected_where_nobody_is_concerned() -> None:
    assert suspected((), {"kind": "Lease"}) == ()
