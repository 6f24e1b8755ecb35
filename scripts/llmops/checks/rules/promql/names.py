"""Names, labels and values that a query asks for, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmops.checks.reading.queries import found
from llmops.checks.registry import ERROR, WARNING, memoized, rule
from llmops.findings import Finding
from llmops.promql.catalogue import Known
from llmops.promql.context import Context, context
from llmops.promql.names import (
    REMOVED_METRIC,
    UNKNOWN_LABEL,
    UNKNOWN_LABEL_VALUE,
    UNKNOWN_METRIC,
    UNPARSABLE,
    Problem,
    judged,
)
from llmops.promql.targets import Query
from llmops.release import Release


@rule(
    "LQ108",
    severity=ERROR,
    fix="Correct the expression; `promtool check rules` and Prometheus' own page say more.",
)
def unparsable(release: Release) -> Iterator[Finding]:
    """A rule that does not parse keeps the whole file from loading; a gate or scaler that does not, sees nothing."""
    yield from _found(release, UNPARSABLE)


@rule(
    "LQ109",
    severity=ERROR,
    fix="Ask for a metric that the exporter has, or record the series in this release.",
)
def unknown_metric(release: Release) -> Iterator[Finding]:
    """A query for a metric that no version has is empty for ever: the alert never fires, the panel shows no data.

    Names of vLLM, of the llm: layer and of Argo Rollouts are known completely; other names are not judged.
    """
    yield from _found(release, UNKNOWN_METRIC)


@rule("LQ110", severity=ERROR, fix="Ask for what replaced it.")
def removed_metric(release: Release) -> Iterator[Finding]:
    """Engines rename metrics; a query for the old name goes dark with the next update, without a word."""
    yield from _found(release, REMOVED_METRIC)


@rule(
    "LQ111",
    severity=WARNING,
    fix="Use a label that the series has; a label that your scrape adds is not known here.",
)
def unknown_label(release: Release) -> Iterator[Finding]:
    """A selector on a label that the series lacks matches nothing; `by` such a label joins everything into one.

    A warning, since a scrape can add labels.
    """
    yield from _found(release, UNKNOWN_LABEL)


@rule("LQ112", severity=ERROR, fix="Write one of the values that the label can have.")
def unknown_label_value(release: Release) -> Iterator[Finding]:
    """A selector for a value that never occurs matches nothing, as `rollout_info{phase="Degraded"}` does.

    Bucket bounds count too: series spell them with a decimal, le="5.0".
    """
    yield from _found(release, UNKNOWN_LABEL_VALUE)


def _found(release: Release, kind: str) -> Iterator[Finding]:
    for query, problem in memoized(_problems, release):
        if problem.kind == kind:
            yield found(query, problem.message, problem.fix)


def _problems(release: Release) -> list[tuple[Query, Problem]]:
    """All that is wrong with the queries of a release, each said once."""
    ctx: Context = memoized(context, release)
    all_of_them = [(query, one) for query in ctx.queries for one in _judged(query, ctx.known)]
    return list(dict.fromkeys(all_of_them))


def _judged(query: Query, known: Known) -> list[Problem]:
    try:
        labels, problems = judged(query.expr, known)
    except ValueError as error:
        if query.fallback not in ("", query.expr):
            return _judged(replace(query, expr=query.fallback), known)
        return [Problem(UNPARSABLE, f"this is no PromQL: {error}.")] if query.certain else []
    if query.label and labels is not None and query.label not in labels:
        return [*problems, Problem(UNKNOWN_LABEL, f"the series have no label {query.label}.")]
    return problems
