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

HERE = Path(__file__).parent
CHART = Path("charts/llm-stack")
_PATTERN = re.compile(r"\(\?|\[\^|\\[dwsS.]|\[[a-zA-Z0-9]-[a-zA-Z0-9]|\)\?\$|\]\{\d|\^\(")
"""What only a regular expression has: groups, classes, escapes and counts of characters."""


@dataclass(frozen=True)
class Told:
    """One sentence to the newcomer: where it points to, relative to the tree, and all it says."""

    level: str
    source: str
    key: str
    text: str


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
        reports = examine.releases(inputs, renderer, [DEFAULT_KUBE_VERSION])
    except InputError as error:
        return [_unreadable(str(error), values)]
    said = [_unreadable(report.unreadable, values) for report in reports if report.unreadable]
    for report in reports:
        for one in report.findings:
            key = one.path.removeprefix("values/").replace("/", ".") if one.path.startswith("values") else ""
            text = f"{one.message} {one.fix}"
            said.append(Told(str(one.severity), _within(one.source, values), key, _plain(text, values)))
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
    if one.source.partition(":")[0] != file:
        yield f"file: {one.source or 'none'}, not {file}"
    elif marks:
        lines = (values / file).read_text(encoding="utf-8").splitlines()
        line = next(number for number, text in enumerate(lines, 1) if marks[0] in text)
        if one.source != f"{file}:{line}":
            yield f"line: {one.source}, not {line}"
    if case.get("key", one.key) != one.key:
        yield f"key: {one.key or 'none'}, not {case['key']}"
    for word in case["words"]:
        if str(word) not in one.text:
            yield f"words: no {word!r} in {one.text[:200]!r}"
    if one.level != case.get("level", "error"):
        yield f"level: {one.level}"


def _unreadable(text: str, values: Path) -> Told:
    source = re.match(r"(\S+?(?::\d+)?): ", text)
    return Told("error", _within(source[1] if source else "", values), "", _plain(text, values))


def _within(source: str, values: Path) -> str:
    path, colon, line = source.partition(":")
    resolved = Path(path).resolve() if path else Path()
    inside = path and resolved.is_relative_to(values.resolve())
    return f"{resolved.relative_to(values.resolve())}{colon}{line}" if inside else source


def _plain(text: str, values: Path) -> str:
    """A sentence without the folder of the test in it."""
    return text.replace(f"{values}/", "").replace(f"{values.resolve()}/", "")
