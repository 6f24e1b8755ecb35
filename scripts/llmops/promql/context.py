"""The queries of a release, and what is known about the metrics that they may ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from llmops.data.metrics import ENGINE, Labels, Series, catalogues
from llmops.promql.catalogue import Known
from llmops.promql.names import judged, parsed
from llmops.promql.syntax import nodes
from llmops.promql.targets import Query, queries
from llmops.references import mapping, text
from llmops.release import Release

_OWN_BUCKETS = "--custom-histogram-buckets"
_IMAGE = re.compile(r"\bvllm/vllm-openai:v?(\d+\.\d+\.\d+)")


@dataclass(frozen=True)
class Context:
    """Every query of a release, and the names that they may ask for."""

    queries: tuple[Query, ...]
    known: Known

    def trees(self) -> Sequence[tuple[Query, Any]]:
        """Each query with its expression as a tree; without those that do not parse."""
        return self._trees

    def nodes(self) -> Sequence[tuple[Query, Any]]:
        """Each query with every node of its tree."""
        return self._nodes

    @cached_property
    def _trees(self) -> list[tuple[Query, Any]]:
        found = []
        for query in self.queries:
            for written in dict.fromkeys((query.expr, query.spare)):
                if written and (node := parsed(written)) is not None:
                    found.append((query, node))
                    break
        return found

    @cached_property
    def _nodes(self) -> list[tuple[Query, Any]]:
        # Kept, since each look at a node makes Python objects of the parser's own.
        return [(query, node) for query, tree in self._trees for node in nodes(tree)]


def context(release: Release) -> Context:
    """The queries of a release; to be asked for with `kept`."""
    asked = tuple(queries(release.objects))
    return Context(asked, _known(release, asked) if asked else Known({}, {}, {}, {}))


def _known(release: Release, asked: Iterable[Query]) -> Known:
    standard = not any(_OWN_BUCKETS in obj.text for obj in release.objects)
    known = replace(_of_version(*_engine_version(release)), buckets=standard)
    recorded = _recorded([one for one in asked if one.record], known)
    return replace(known, recorded={**known.recorded, **recorded})


@lru_cache(maxsize=16)
def _of_version(stated: bool, version: str) -> Known:
    """What the tables know, for one version of the engine."""
    tables = catalogues()
    series = {
        name: one
        for table in tables
        for name, one in table.series.items()
        if table.exporter != ENGINE or _present(one, version, table.versions, stated)
    }
    gone = {name: one for table in tables for name, one in table.removed.items()}
    still = {name for name, one in gone.items() if version and _number(version) <= _number(one.until)}
    removed = {name: one for name, one in gone.items() if name not in still}
    prefixes = {prefix: _named(table.exporter, version) for table in tables for prefix in table.prefixes}
    # Of a name that an old engine still has, the labels are not known.
    return Known(series, removed, prefixes, dict.fromkeys(still))


def _present(one: Series, version: str, looked_at: Iterable[str], stated: bool) -> bool:
    """Whether a name may be the engine's, of this version: any program may count http_requests_total.

    Between two versions that were looked at, nobody knows when a name came.
    """
    if not stated and not one.name.startswith(f"{ENGINE}:"):
        return False
    without = [number for number in map(_number, looked_at) if number < _number(one.since)]
    return not version or not one.since or not without or _number(version) > max(without)


def _recorded(rules: list[Query], known: Known) -> dict[str, Labels | None]:
    """Labels of what the rules of the input record. A rule on top of another one needs a second round."""
    found: dict[str, Labels | None] = dict.fromkeys(rule.record for rule in rules)
    for _ in range(3):
        current = replace(known, recorded={**known.recorded, **found})
        made: dict[str, Labels | None] = {}
        for one in rules:
            made[one.record] = _together(made.get(one.record, {}), _result(one, current))
        if made == found:
            break
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


def _engine_version(release: Release) -> tuple[bool, str]:
    """Whether the values state the engine's version, and it: of plain manifests that of the one image; may be empty."""
    for owner in (mapping(release.values.get("vllm-inference")), release.values):
        if version := text(mapping(owner.get("engine")).get("version")):
            return True, version
    tags = {tag for obj in release.objects for tag in _IMAGE.findall(obj.text)}
    return False, tags.pop() if len(tags) == 1 else ""


def _named(exporter: str, version: str) -> str:
    return f"{exporter} {version}" if exporter == ENGINE and version else exporter


@lru_cache(maxsize=1024)
def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
