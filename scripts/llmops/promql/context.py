"""The queries of a release, and what is known about the metrics that they may ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from llmops import engines
from llmops.data import own_folder
from llmops.data.metrics import Catalogue, Labels, Removed, Series, catalogues
from llmops.promql.catalogue import Known
from llmops.promql.names import judged, parsed
from llmops.promql.syntax import nodes
from llmops.promql.targets import Query, queries
from llmops.release import Release

_OWN_BUCKETS = "--custom-histogram-buckets"
# Any kind's field of that name: servers stand in custom resources, too.
_IMAGE = re.compile(r"""\bimage["']?:\s*["']?([^\s"',}]+)""")


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
            for written in dict.fromkeys((query.expr, query.fallback)):
                if written and (node := parsed(written)) is not None:
                    found.append((query, node))
                    break
        return found

    @cached_property
    def _nodes(self) -> list[tuple[Query, Any]]:
        # Kept, since each look at a node makes Python objects of the parser's own.
        return [(query, node) for query, tree in self._trees for node in nodes(tree)]


def context(release: Release) -> Context:
    """The queries of a release; read once by `memoized`."""
    found_queries = tuple(queries(release.objects))
    return Context(found_queries, _known(release, found_queries) if found_queries else Known({}, {}, {}, {}))


def _known(release: Release, found_queries: Iterable[Query]) -> Known:
    standard = not any(_OWN_BUCKETS in obj.text for obj in release.objects)
    known = replace(_of_versions(_engine_versions(release), own_folder()), buckets=standard)
    recorded = _recorded([one for one in found_queries if one.record], known)
    return replace(known, recorded={**known.recorded, **recorded})


@dataclass(frozen=True)
class _Running:
    """An engine's version, empty where nobody says it. `stated`: by the values, so it is this engine that runs."""

    stated: bool = False
    version: str = ""


@lru_cache(maxsize=16)
def _of_versions(engines_: tuple[tuple[str, _Running], ...], own: str) -> Known:
    """What the tables know; of each engine by the version that runs."""
    tables = catalogues(own)
    running = dict(engines_)
    series = {
        name: one
        for table in tables
        for name, one in table.series.items()
        if table.exporter not in running or _present(one, table, running[table.exporter])
    }
    removed: dict[str, Removed] = {}
    # Of a name that an old engine still has, the labels are not known.
    recorded: dict[str, Labels | None] = {}
    prefixes: dict[str, str] = {}
    for table in tables:
        version = running.get(table.exporter, _Running()).version
        prefixes |= dict.fromkeys(table.prefixes, f"{table.exporter} {version}".strip())
        for name, one in table.removed.items():
            if version and _number(version) <= _number(one.until):
                recorded[name] = None
            else:
                removed[name] = one
    return Known(series, removed, prefixes, recorded)


def _present(one: Series, table: Catalogue, running: _Running) -> bool:
    """Whether a name may be the engine's, of this version: any program may count http_requests_total.

    Between two versions that were looked at, nobody knows when a name came.
    """
    if not running.stated and not one.name.startswith(table.prefixes):
        return False
    without = [number for number in map(_number, table.versions) if number < _number(one.since)]
    version = running.version
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


def _engine_versions(release: Release) -> tuple[tuple[str, _Running], ...]:
    """Each engine's version: what the values state, else that of the one image in the manifests."""
    view = release.view
    if view.engine and (version := view.served.text("engine.version")):
        stated = {view.engine.name: _Running(stated=True, version=version)}
        return tuple((one.name, stated.get(one.name, _Running())) for one in engines.engines())
    found: dict[str, set[str]] = {}
    for reference in {each for obj in release.objects for each in _IMAGE.findall(obj.text)}:
        image = engines.of_image(reference)
        if image and image.version:
            found.setdefault(image.engine.name, set()).add(engines.spelled(image.version))
    only = {name: versions.pop() for name, versions in found.items() if len(versions) == 1}
    return tuple((one.name, _Running(version=only.get(one.name, ""))) for one in engines.engines())


@lru_cache(maxsize=1024)
def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
