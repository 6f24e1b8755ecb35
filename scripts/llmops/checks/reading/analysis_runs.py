"""Analyses of Argo Rollouts: who runs which templates, with which arguments, and what they measure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from llmops.kubernetes.kinds import ROLLOUT, Kind
from llmops.references import Graph, mapping, sequence, text, walk
from llmops.render.manifest import Object

_One = TypeVar("_One")
TEMPLATE: Kind = ("argoproj.io", "AnalysisTemplate")
CLUSTER_TEMPLATE: Kind = ("argoproj.io", "ClusterAnalysisTemplate")
RUN: Kind = ("argoproj.io", "AnalysisRun")
EXPERIMENT: Kind = ("argoproj.io", "Experiment")
# Providers that ask for figures; a web call, a Job and Kayenta come with a verdict of their own.
QUERIED = (
    "prometheus",
    "datadog",
    "newRelic",
    "wavefront",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
)
BACKGROUND, STEP, PROMOTION, TRIAL = "background", "step", "promotion", "experiment"
_PLACES = (
    ("/spec/strategy/canary/analysis", BACKGROUND),
    ("/spec/strategy/canary/steps/*/analysis", STEP),
    ("/spec/strategy/blueGreen/prePromotionAnalysis", PROMOTION),
    ("/spec/strategy/blueGreen/postPromotionAnalysis", PROMOTION),
    ("/spec/strategy/canary/steps/*/experiment/analyses/*", TRIAL),
    ("/spec/analyses/*", TRIAL),
)
_ASKED = re.compile(r"\{\{\s*args\.([^{}\s]+)\s*\}\}")


@dataclass(frozen=True)
class Use:
    """A template that a run names at `pointer`; `template` is None when the release does not hold it."""

    pointer: str
    kind: Kind
    name: str
    template: Object | None


@dataclass(frozen=True)
class Run:
    """What starts an analysis, and when: in the `background`, as a `step`, at a `promotion`, in an `experiment`."""

    owner: Object
    pointer: str
    when: str
    args: tuple[dict[str, Any], ...]
    uses: tuple[Use, ...]

    @property
    def templates(self) -> list[Object]:
        return [use.template for use in self.uses if use.template]


@dataclass(frozen=True)
class Metric:
    """One metric of a template; `provider` is its name (prometheus, web, job …), empty when there is none."""

    template: Object
    pointer: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        return text(self.data.get("name"))

    @property
    def provider(self) -> str:
        return next(iter(mapping(self.data.get("provider"))), "")

    @property
    def settings(self) -> dict[str, Any]:
        return mapping(mapping(self.data.get("provider")).get(self.provider))

    @property
    def dry(self) -> bool:
        """Whether the template itself says that this metric decides nothing."""
        patterns = [text(one.get("metricName")) for one in map(mapping, self._dry_runs)]
        return any(_fits(pattern, self.name) for pattern in patterns)

    @property
    def _dry_runs(self) -> list[Any]:
        return sequence(self.template.get("/spec/dryRun"))


def runs(objects: Graph) -> tuple[Run, ...]:
    """Every analysis that a Rollout or Experiment of the release starts."""
    return _last(_runs, objects)


def _runs(objects: Graph) -> Iterator[Run]:
    for owner in objects.of_kind(ROLLOUT, EXPERIMENT):
        for pattern, when in _PLACES:
            for pointer, spec in walk(owner.data, pattern):
                args = tuple(map(mapping, sequence(mapping(spec).get("args"))))
                yield Run(owner, pointer, when, args, tuple(_uses(objects, owner, pointer, mapping(spec))))


def metrics(templates: Iterable[Object]) -> Iterator[Metric]:
    """The metrics of AnalysisTemplates and AnalysisRuns."""
    for template in templates:
        for pointer, data in walk(template.data, "/spec/metrics/*"):
            if isinstance(data, dict):
                yield Metric(template, pointer, data)


def all_metrics(objects: Graph) -> tuple[Metric, ...]:
    """Every metric of the release."""
    return _last(_all_metrics, objects)


def _all_metrics(objects: Graph) -> Iterator[Metric]:
    yield from metrics(objects.of_kind(TEMPLATE, CLUSTER_TEMPLATE, RUN))


_MEMO: dict[Callable[[Graph], Iterator[Any]], tuple[Graph, tuple[Any, ...]]] = {}


def _last(build: Callable[[Graph], Iterator[_One]], objects: Graph) -> tuple[_One, ...]:
    """What is built from the release that was asked for last: a dozen rules ask for the same."""
    known = _MEMO.get(build)
    if known is None or known[0] is not objects:
        known = _MEMO[build] = (objects, tuple(build(objects)))
    return known[1]


def number(value: object) -> int | None:
    """A whole number, written as such or as text; None for anything else, an argument among it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    written = text(value)
    return int(written) if re.fullmatch(r"-?\d{1,9}", written) else None


def indefinite(metric: Mapping[str, Any]) -> bool:
    """Whether it measures until somebody ends it: an interval, and no count."""
    count = metric.get("count")
    return bool(metric.get("interval")) and (count is None or number(count) == 0)


def arguments_named(value: object) -> Iterator[tuple[str, str]]:
    """(pointer, name) of every argument that a value asks for as {{args.name}}, however deep."""
    if isinstance(value, str):
        if "{{" in value:  # most texts hold none, and a search costs more than this look
            for name in _ASKED.findall(value):
                yield "", name
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ((f"/{index}{pointer}", name) for pointer, name in arguments_named(item))
    elif isinstance(value, dict):
        for key, item in value.items():
            part = str(key).replace("~", "~0").replace("/", "~1")
            yield from ((f"/{part}{pointer}", name) for pointer, name in arguments_named(item))


def _uses(objects: Graph, owner: Object, pointer: str, spec: Mapping[str, Any]) -> Iterator[Use]:
    own = [(pointer, spec)] if text(spec.get("templateName")) else []
    listed = [(f"{pointer}/templates/{i}", one) for i, one in enumerate(sequence(spec.get("templates")))]
    seen: set[tuple[Kind, str]] = set()
    for place, ref in [*own, *listed]:
        yield from _used(objects, objects.namespace_of(owner), f"{place}/templateName", mapping(ref), seen)


def _used(
    objects: Graph, namespace: str, pointer: str, ref: Mapping[str, Any], seen: set[tuple[Kind, str]]
) -> Iterator[Use]:
    """The template of a reference, and those that it lists itself, all at the place of the reference."""
    name, cluster = text(ref.get("templateName")), ref.get("clusterScope") is True
    kind = CLUSTER_TEMPLATE if cluster else TEMPLATE
    if not name or (kind, name) in seen:
        return
    seen.add((kind, name))
    template = objects.find(kind, "" if cluster else namespace, name)
    yield Use(pointer, kind, name, template)
    for one in sequence(template.get("/spec/templates")) if template else ():
        yield from _used(objects, namespace, pointer, mapping(one), seen)


def _fits(pattern: str, name: str) -> bool:
    try:
        return bool(pattern) and re.search(pattern, name) is not None
    except re.error:
        return False
