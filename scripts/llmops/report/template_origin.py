"""Where a finding comes from: the line of the template, and the keys of the values that decide what stands there.

Nothing is guessed. A template's line is told by marks (see `marks`); a key is named when the release, rendered
again with another value under it, has something else at the place of the finding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmops.checks.registry import values_source
from llmops.findings import Finding, InputError, RefusedError
from llmops.release import Inputs, Release, archive
from llmops.render import Renderer
from llmops.render.archive import chart_yaml
from llmops.render.manifest import Object, parse
from llmops.report.contents import Key, Origin, ReleaseReport
from llmops.report.marks import lines, mark_archive

MOST_RENDERS = 100  # of one run, to try keys: some seconds
_MOST_CANDIDATES = 8  # of one finding
_MOST_KEYS = 3  # that decide one place; more of them say nothing
_SHORTEST_PART = 3  # characters of a value that is looked for inside another
_NUMBER = re.compile(r"\d+")


def trace(reports: Sequence[ReleaseReport], renderer: Renderer) -> list[ReleaseReport]:
    """The reports with the origin of each finding, as far as it is known; those of plain manifests as they are."""
    budget = [MOST_RENDERS]
    return [replace(report, origins=_origins(report, renderer, budget)) for report in reports]


def _origins(report: ReleaseReport, renderer: Renderer, budget: list[int]) -> Mapping[Finding, Origin]:
    release = report.release
    if release.inputs is None or not report.findings:
        return {}
    trial = _Trial(release, release.inputs, renderer, budget)
    templates = {source for one in report.findings if (source := _place(one)[0]) in release.templates}
    written = trial.lines(templates)
    return {one: _origin(one, trial, written) for one in report.findings}


def _origin(finding: Finding, trial: _Trial, written: Mapping[str, Mapping[int, int]]) -> Origin:
    if finding.path.startswith("values/"):
        key = finding.path.removeprefix("values/").replace("/", ".").replace("~1", "/").replace("~0", "~")
        return Origin(keys=(Key(key, finding.source),))
    template, line = _place(finding)
    if template not in trial.release.templates:
        return Origin()
    file = template_file(trial.inputs.chart, template)
    # A finding about several releases, or of another version of Kubernetes, may stand in a text that is not here.
    if not any(_is_about(finding, obj) for obj in trial.release.objects):
        return Origin(file)
    known = written.get(template, {}).get(line)
    return Origin(f"{file}:{known}" if known else file, trial.keys(finding, template))


def _is_about(finding: Finding, obj: Object) -> bool:
    return (obj.kind, obj.name) == (finding.kind, finding.name) and obj.at(finding.path) == finding.source


def _place(finding: Finding) -> tuple[str, int]:
    """Template and line of the rendered text."""
    source, _, line = finding.source.rpartition(":")
    return (source, int(line)) if line.isdecimal() else (finding.source, 0)


def template_file(chart: Path, template: str) -> str:
    """The file of a template as Helm names it, seen from here; Helm's own name for a packed chart."""
    folder, parts = chart, template.split("/")[1:]
    try:
        while parts[:1] == ["charts"] and len(parts) > 1:
            folder, parts = _dependency(folder, parts[1]), parts[2:]
    except InputError:
        return template
    file = folder.joinpath(*parts)
    return os.path.normpath(file) if file.is_file() else template


def _dependency(chart: Path, name: str) -> Path:
    for one in chart_yaml(chart).data.get("dependencies") or ():
        repository = str(one.get("repository") or "")
        if name in (one.get("alias"), one.get("name")) and repository.startswith("file://"):
            return chart / repository.removeprefix("file://")
    return chart / "charts" / name


@dataclass
class _Trial:
    """A release that is rendered again and again with one thing changed; each change is rendered once."""

    release: Release
    inputs: Inputs
    renderer: Renderer
    budget: list[int]
    tried: dict[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)

    def lines(self, templates: set[str]) -> dict[str, dict[int, int]]:
        """For each template the lines of it that wrote the lines of its text."""
        packed = mark_archive(archive(self.inputs.chart, schemas=False), templates)
        shown = self._render(packed, ())
        return {name: lines(self.release.templates[name], shown[name]) for name in templates if name in shown}

    def keys(self, finding: Finding, template: str) -> tuple[Key, ...]:
        """The values that decide what stands at the place of a finding."""
        value = self._at(finding, self.release.templates[template], template)
        if not isinstance(value, str | int | float) or value == "":
            return ()
        found = [
            path
            for path, leaf in _candidates(self.release.values, value, finding.path)
            if self._decides(path, leaf, finding, template, value)
        ]
        if len(found) > _MOST_KEYS:
            return ()
        return tuple(Key(".".join(path), self._source(path)) for path in found)

    def _decides(
        self, path: tuple[str, ...], leaf: Any, finding: Finding, template: str, value: object
    ) -> bool:
        for other in _others(leaf):
            if (text := self._with(path, other).get(template)) is not None:
                now = self._at(finding, text, template)
                return now is not None and now != value
        return False

    def _with(self, path: tuple[str, ...], leaf: Any) -> Mapping[str, str]:
        name = (*path, repr(leaf))
        if name not in self.tried:
            self.budget[0] -= 1
            layer: Any = leaf
            for key in reversed(path):
                layer = {key: layer}
            packed = archive(self.inputs.chart, schemas=False)
            self.tried[name] = self._render(packed, (layer,)) if self.budget[0] >= 0 else {}
        return self.tried[name]

    def _render(self, packed: bytes, more: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
        """The templates with further values; nothing when the chart refuses them."""
        layers = [*(file.data for file in self.release.values_files), *more]
        try:
            return self.renderer.render(packed, layers, self.inputs.target).templates
        except (RefusedError, InputError):
            return {}

    def _at(self, finding: Finding, text: str, template: str) -> Any:
        try:
            objects = parse(text, template)
        except InputError:
            return None
        mine = [one for one in objects if (one.kind, one.name) == (finding.kind, finding.name)]
        return mine[0].get(finding.path) if len(mine) == 1 and isinstance(mine[0], Object) else None

    def _source(self, path: tuple[str, ...]) -> str:
        """FILE:LINE of the values file that sets the key; empty for a default of the chart."""
        pointer = "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)
        said = any(file.has(pointer) for file in self.release.values_files)
        return values_source(self.release, pointer) if said else ""


def _candidates(values: Mapping[str, Any], value: Any, place: str) -> list[tuple[tuple[str, ...], Any]]:
    """Leaves that may have written the value: equal ones, and parts of a text; the likeliest first."""
    last = place.rpartition("/")[2].lower()
    found = [
        (path, leaf)
        for path, leaf in _leaves(values, ())
        if str(leaf) == str(value)
        or (isinstance(leaf, str) and len(leaf) >= _SHORTEST_PART and leaf in str(value))
    ]
    found.sort(key=lambda one: (str(one[1]) != str(value), path_differs(one[0], last), -len(str(one[1]))))
    return found[:_MOST_CANDIDATES]


def path_differs(path: tuple[str, ...], last: str) -> bool:
    """Whether the last key of a path is another word than the last part of the place."""
    return path[-1].lower() != last


def _leaves(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if path and key == "global":
            continue  # a component's copy of what stands at the top
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(key)))
        elif isinstance(value, str | int | float) and value != "":
            yield (*path, str(key)), value


def _others(leaf: Any) -> list[Any]:
    """Other values of the same form, to try one after another until the chart takes one."""
    if isinstance(leaf, bool):
        return [not leaf]
    if isinstance(leaf, int | float):
        return [leaf + 1, leaf - 1]
    counted = _NUMBER.sub(lambda digits: str(int(digits[0]) + 1), leaf, count=1)
    return [f"{leaf}x"] if counted == leaf else [counted, f"{leaf}x"]
