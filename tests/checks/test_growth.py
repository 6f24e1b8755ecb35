"""Time grows with the number of objects, not with its square: twenty thousand objects are judged while one waits."""

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from llmops import examine

_OBJECTS = Path(__file__).with_name("estate.yaml").read_text(encoding="utf-8").split("---\n")[1:]
FEW, MANY = 60, 240
# Four times the objects take four times as long, sixteen times where each looks at all others.
MOST = 8.0


def estate(count: int, kinds: Iterable[str]) -> str:
    """`count` times the objects of these kinds, each with a number of its own."""
    chosen = [one for one in _OBJECTS if any(f"\nkind: {kind}\n" in one for kind in kinds)]
    return "---\n".join(one.replace("%", str(number)) for number in range(count) for one in chosen)


def seconds(text: str) -> float:
    """Processor time: whoever else computes here does not count."""
    began = time.process_time()
    examine.manifests(text, "estate.yaml", ["1.35"])
    return time.process_time() - began


def one_label(text: str) -> str:
    return re.sub(r"app: a\d+", "app: a", text)


def no_match(text: str) -> str:
    return text.replace("selector: {app: a", "selector: {app: of-others-")


@pytest.mark.long
@pytest.mark.parametrize(
    ("kinds", "change"),
    [
        (("Service", "Deployment"), str),
        (("Service", "Deployment"), no_match),
        (("Service", "Deployment", "PodMonitor"), one_label),
        (("Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy"), str),
        (("Deployment", "HorizontalPodAutoscaler", "ConfigMap", "ServiceAccount", "RoleBinding"), str),
        (("Service", "Deployment", "PodMonitor", "ServiceMonitor", "Ingress", "NetworkPolicy"), str),
        (("Service", "Deployment", "PodMonitor", "ServiceMonitor", "Ingress", "NetworkPolicy"), one_label),
        (("Rollout", "HTTPRoute", "ScaledObject"), str),
    ],
    ids=lambda one: one.__name__ if callable(one) else "-".join(one),
)
def test_four_times_the_objects_take_about_four_times_as_long(
    kinds: tuple[str, ...], change: Callable[[str], str]
) -> None:
    few, many = (change(estate(count, kinds)) for count in (FEW, MANY))
    seconds(few)  # what is loaded once
    assert seconds(many) < MOST * seconds(few)


@pytest.mark.long
def test_twenty_thousand_objects_take_about_four_times_as_long_as_five_thousand(
    record_property: Callable[[str, float], None],
) -> None:
    few, many = (estate(count, ("Service", "Deployment")) for count in (1250, 5000))
    assert many.count("\nkind: ") == 20000
    took = seconds(few), seconds(many)
    record_property("seconds", took[1])
    assert took[1] < MOST * took[0]


def test_a_sentence_does_not_grow_with_the_release() -> None:
    text = estate(300, ("Deployment", "HorizontalPodAutoscaler")).replace(
        "kind: Deployment, name: d", "kind: Deployment, name: e"
    )
    (report,) = examine.manifests(text, "estate.yaml", ["1.35"])
    missing = [one.message for one in report.findings if one.rule == "graph/scale-target-missing"]
    assert len(missing) == 300
    assert max(map(len, missing)) < 300
    assert "and 292 more" in missing[0]
