"""A newcomer's tree with one mistake in it, and whether the check tells it well."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops import examine, release
from llmops.findings import InputError
from llmops.render import DEFAULT_KUBE_VERSION, Renderer
from llmops.report import template_origin

HERE = Path(__file__).parent
CHART = Path("charts/llm-stack")
_PATTERN = re.compile(r"\(\?|\[\^|\\[dwsS.]|\[[a-zA-Z0-9]-[a-zA-Z0-9]|\)\?\$|\]\{\d|\^\(")
"""What only a regular expression has: groups, classes, escapes and counts of characters."""


@dataclass(frozen=True)
class Told:
    """One finding as the newcomer reads it: `places` are (FILE:LINE within the tree, key), the first its own."""

    level: str
    text: str
    places: tuple[tuple[str, str], ...]


def planted(case: Mapping[str, Any], folder: Path) -> Path:
    """A copy of the tree with the mistake of a case, below the folder. AssertionError where its text is not there."""
    values = folder / "values"
    shutil.copytree(HERE / "tree", values)
    for file, (old, new) in case.get("change", {}).items():
        text = (values / file).read_text(encoding="utf-8")
        assert old in text, f"{old!r} does not stand in {file}"
        (values / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    for file, text in case.get("write", {}).items():
        (values / file).write_text(text, encoding="utf-8")
    if "remove" in case:
        (values / case["remove"]).unlink()
    if "rename" in case:
        before, after = case["rename"]
        (values / before).rename(values / after)
    if "copy" in case:
        before, after = case["copy"]
        shutil.copytree(values / before, values / after)
    return values


def findings(values: Path, env: str, renderer: Renderer) -> list[Told]:
    """All that `llmops check --models` says of a tree; `env` is one environment, or `all`."""
    try:
        inputs = release.discover(
            values / "models",
            env=None if env == "all" else env,
            environments=None,
            chart=CHART,
            kube_version=DEFAULT_KUBE_VERSION,
        )
        judged = examine.releases(inputs, renderer, [DEFAULT_KUBE_VERSION])
        reports = template_origin.trace(judged, renderer)
    except InputError as error:
        return [_unreadable(str(error), values)]
    said = [_unreadable(report.unreadable, values) for report in reports if report.unreadable]
    for report in reports:
        for one in report.findings:
            keys = [(key.source, key.name) for key in report.origin(one).keys]
            places = tuple((_within(source, values), key) for source, key in [(one.source, ""), *keys])
            said.append(Told(str(one.severity), _plain(f"{one.message} {one.fix}", values), places))
    return said


def missed(case: Mapping[str, Any], said: list[Told], values: Path) -> list[str]:
    """What is wrong with how a mistake is told; empty when one sentence has place, key and remedy."""
    if not said:
        return ["silent"]
    patterns = [f"a pattern: {one.text[:100]}" for one in said if _PATTERN.search(one.text)]
    nearest = min((list(_lacks(case, one, values)) for one in said), key=len)
    return [*patterns, *nearest]


def _lacks(case: Mapping[str, Any], one: Told, values: Path) -> Iterator[str]:
    file, *marks = case["at"]
    lines = (values / file).read_text(encoding="utf-8").splitlines() if marks else []
    line = next((f":{number}" for number, text in enumerate(lines, 1) if marks[0] in text), "")
    if not any(source == f"{file}{line}" if marks else source.startswith(file) for source, _ in one.places):
        yield f"place: {one.places}, not {file}{line}"
    if not any(case.get("key", key) == key for _, key in one.places):
        yield f"key: {one.places}, not {case['key']}"
    for word in case["words"]:
        if str(word) not in one.text:
            yield f"words: no {word!r} in {one.text[:300]!r}"
    if one.level != case.get("level", "error"):
        yield f"level: {one.level}"


def _unreadable(text: str, values: Path) -> Told:
    source = re.match(r"(\S+?(?::\d+)?): ", text)
    return Told("error", _plain(text, values), ((_within(source[1] if source else "", values), ""),))


def _within(source: str, values: Path) -> str:
    path, colon, line = source.partition(":")
    resolved = Path(path).resolve() if path else Path()
    inside = path and resolved.is_relative_to(values.resolve())
    return f"{resolved.relative_to(values.resolve())}{colon}{line}" if inside else source


def _plain(text: str, values: Path) -> str:
    """A sentence without the folder of the test in it."""
    return text.replace(f"{values}/", "").replace(f"{values.resolve()}/", "")
