"""Theme `promql`: does a query ask for what is there?

Judged are rules, scaler triggers, analysis metrics and dashboards. A metric of an exporter that no table knows is
never a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from llmops.checks.known import Known
from llmops.checks.queries import Query, queries
from llmops.checks.registry import ERROR, WARNING, defect, kept, rule
from llmops.checks.selectors import (
    REMOVED_METRIC,
    UNKNOWN_LABEL,
    UNKNOWN_LABEL_VALUE,
    UNKNOWN_METRIC,
    UNPARSABLE,
    Problem,
    judged,
)
from llmops.data.metrics import ENGINE, Labels, Series, catalogues
from llmops.findings import Finding
from llmops.references import mapping, text
from llmops.release import Release

_OWN_BUCKETS = "--custom-histogram-buckets"


@rule(severity=ERROR, fix="Correct the expression; `promtool check rules` and Prometheus' own page say more.")
def unparsable(release: Release) -> Iterator[Finding]:
    """A rule that does not parse keeps the whole file from loading; a gate or scaler that does not, sees nothing."""
    yield from _found(release, UNPARSABLE)


@rule(severity=ERROR, fix="Ask for a metric that the exporter has, or record the series in this release.")
def unknown_metric(release: Release) -> Iterator[Finding]:
    """A query for a metric that no version has is empty for ever: the alert never fires, the panel shows no data.

    Names of vLLM, of the llm: layer and of Argo Rollouts are known completely; other names are not judged.
    """
    yield from _found(release, UNKNOWN_METRIC)


@rule(severity=ERROR, fix="Ask for what replaced it.")
def removed_metric(release: Release) -> Iterator[Finding]:
    """Engines rename metrics; a query for the old name goes dark with the next update, without a word."""
    yield from _found(release, REMOVED_METRIC)


@rule(
    severity=WARNING, fix="Use a label that the series has; a label that your scrape adds is not known here."
)
def unknown_label(release: Release) -> Iterator[Finding]:
    """A selector on a label that the series lacks matches nothing; `by` such a label joins everything into one.

    A warning, since a scrape can add labels.
    """
    yield from _found(release, UNKNOWN_LABEL)


@rule(severity=ERROR, fix="Write one of the values that the label can have.")
def unknown_label_value(release: Release) -> Iterator[Finding]:
    """A selector for a value that never occurs matches nothing, as `rollout_info{phase="Degraded"}` does.

    Bucket bounds count too: series spell them with a decimal, le="5.0".
    """
    yield from _found(release, UNKNOWN_LABEL_VALUE)


def _found(release: Release, kind: str) -> Iterator[Finding]:
    for query, problem in kept(_problems, release):
        if problem.kind == kind:
            place = f"{query.place}: " if query.place else ""
            yield defect(query.owner, query.pointer, f"{place}{problem.message}", fix=problem.fix)


def _problems(release: Release) -> list[tuple[Query, Problem]]:
    """All that is wrong with the queries of a release, each said once."""
    asked = list(queries(release.objects))
    if not asked:
        return []
    known = _known(release, asked)
    found = [(query, problem) for query in asked for problem in _judged(query, known)]
    return list(dict.fromkeys(found))


def _judged(query: Query, known: Known) -> list[Problem]:
    try:
        labels, problems = judged(query.expr, known)
    except ValueError as error:
        if query.spare not in ("", query.expr):
            return _judged(replace(query, expr=query.spare), known)
        return [Problem(UNPARSABLE, f"this is no PromQL: {error}.")] if query.sure else []
    if query.asked and labels is not None and query.asked not in labels:
        return [*problems, Problem(UNKNOWN_LABEL, f"the series have no label {query.asked}.")]
    return problems


def _known(release: Release, asked: Iterable[Query]) -> Known:
    version = _engine_version(release.values)
    tables = catalogues()
    series = {
        name: one
        for table in tables
        for name, one in table.series.items()
        if table.exporter != ENGINE or _present(one, version)
    }
    gone = {name: one for table in tables for name, one in table.removed.items()}
    still = {name for name, one in gone.items() if version and _number(version) <= _number(one.until)}
    removed = {name: one for name, one in gone.items() if name not in still}
    prefixes = {prefix: _named(table.exporter, version) for table in tables for prefix in table.prefixes}
    standard = not any(_OWN_BUCKETS in obj.text for obj in release.objects)
    # Of a name that an old engine still has, the labels are not known.
    known = Known(series, removed, prefixes, dict.fromkeys(still), standard)
    recorded = _recorded([one for one in asked if one.record], known)
    return replace(known, recorded={**known.recorded, **recorded})


def _present(one: Series, version: str) -> bool:
    """Whether a name surely is the engine's, of this version: any program may count http_requests_total."""
    if not version:
        return one.name.startswith(f"{ENGINE}:")
    return not one.since or _number(one.since) <= _number(version)


def _recorded(rules: list[Query], known: Known) -> dict[str, Labels | None]:
    """Labels of what the rules of the input record. A rule on top of another one needs a second round."""
    found: dict[str, Labels | None] = dict.fromkeys(rule.record for rule in rules)
    for _ in range(3):
        current = replace(known, recorded={**known.recorded, **found})
        made: dict[str, Labels | None] = {}
        for one in rules:
            made[one.record] = _together(made.get(one.record, {}), _result(one, current))
        found = made
    return found


def _result(query: Query, known: Known) -> Labels | None:
    try:
        labels, _ = judged(query.expr, known)
    except ValueError:
        return None
    added = {label: frozenset({value}) for label, value in query.labels.items()}
    return None if labels is None else {**labels, **added}


def _together(one: Labels | None, other: Labels | None) -> Labels | None:
    """Labels of series that several rules record under one name."""
    if one is None or other is None:
        return None
    joined = dict(one)
    for label, values in other.items():
        before = joined.get(label, frozenset())
        joined[label] = None if before is None or values is None else before | values
    return joined


def _engine_version(values: Mapping[str, object]) -> str:
    """The engine's version by the values of the umbrella or of the chart alone; empty for plain manifests."""
    for owner in (mapping(values.get("vllm-inference")), values):
        if found := text(mapping(owner.get("engine")).get("version")):
            return found
    return ""


def _named(exporter: str, version: str) -> str:
    return f"{exporter} {version}" if exporter == ENGINE and version else exporter


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
