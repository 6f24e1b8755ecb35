"""Defects that a model's owner accepts for a reason and a time, in its waivers.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml
from yaml.cyaml import CSafeLoader

from llmops.checks.registry import find
from llmops.findings import Finding, InputError
from llmops.kubernetes.wording import closest
from llmops.release import Release

FIELDS = ("rule", "reason", "expires", "name", "kind", "environment")
_REQUIRED = ("rule", "reason", "expires")


@dataclass(frozen=True)
class Waiver:
    """An accepted defect: a rule by its id, narrowed by name, kind or environment; `expires` is its last day."""

    rule: str
    reason: str
    expires: date
    name: str = ""
    kind: str = ""
    environment: str = ""
    source: str = ""

    def covers(self, finding: Finding, environment: str) -> bool:
        """Whether the finding, made in that environment, is what the waiver accepts."""
        return finding.rule == self.rule and all(
            not expected or expected == given
            for expected, given in (
                (self.name, finding.name),
                (self.kind, finding.kind),
                (self.environment, environment),
            )
        )


@dataclass(frozen=True)
class Waived:
    """A finding and the waiver that answers for it."""

    finding: Finding
    waiver: Waiver


@dataclass(frozen=True)
class Review:
    """The waivers of one model and what all its checked environments made of them."""

    model_dir: Path
    waivers: tuple[Waiver, ...]
    environments: frozenset[str]
    used: frozenset[Waiver]
    disabled: frozenset[str]
    today: date


def of_release(release: Release) -> tuple[Waiver, ...]:
    """The waivers of the model that a release belongs to; none without a model directory."""
    if release.inputs is None or release.inputs.model_dir is None:
        return ()
    file = release.inputs.model_dir / "waivers.yaml"
    return read(file) if file.is_file() else ()


def apply(
    found: Iterable[Finding], waivers: Iterable[Waiver], release: Release, today: date
) -> tuple[list[Finding], list[Waived]]:
    """Parts findings into those that stand and those that a waiver in force answers for."""
    environment = release.inputs.environment if release.inputs else ""
    in_force = [waiver for waiver in waivers if waiver.expires >= today]
    left, waived = [], []
    for finding in found:
        answer = next((waiver for waiver in in_force if waiver.covers(finding, environment)), None)
        if answer:
            waived.append(Waived(finding, answer))
        else:
            left.append(finding)
    return left, waived


def read(file: Path) -> tuple[Waiver, ...]:
    """The waivers in a file, in order. Raises InputError with FILE:LINE for anything that is no waiver."""
    try:
        stat = file.stat()
        return _read(file, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise InputError(f"cannot read the waivers: {error.strerror}", str(file)) from None


@lru_cache(maxsize=1024)
def _read(file: Path, _mtime: int, _size: int) -> tuple[Waiver, ...]:
    """Read once, since every environment of a model asks."""
    try:
        root = _composed(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "no text in UTF-8"
        raise InputError(f"is no YAML: {what}", f"{file}:{mark.line + 1}" if mark else str(file)) from None
    if root is None:
        return ()
    if not isinstance(root, yaml.SequenceNode):
        raise InputError("waivers are a list; write `- rule: …` with reason and expires", f"{file}:1")
    return tuple(_waiver(node, file) for node in root.value)


def _composed(text: str) -> yaml.Node | None:
    """By libyaml, which is ten times as fast; of what it refuses by the parser with the better words."""
    try:
        fast: yaml.Node | None = yaml.compose(text, Loader=CSafeLoader)
    except yaml.YAMLError:
        slow: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        return slow
    return fast


def _waiver(node: yaml.Node, file: Path) -> Waiver:
    source = f"{file}:{node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"a waiver has the keys {', '.join(FIELDS)}", source)
    given: dict[str, str] = {}
    for key, value in node.value:
        at = f"{file}:{key.start_mark.line + 1}"
        if key.value not in FIELDS:
            raise InputError(f"{key.value!r} is no key of a waiver{closest(str(key.value), FIELDS)}", at)
        if key.value in given:
            raise InputError(f"{key.value} stands twice in one waiver", at)
        if not isinstance(value, yaml.ScalarNode) or not value.value.strip():
            raise InputError(f"{key.value} of a waiver must be a non-empty string", at)
        given[key.value] = value.value.strip()
    for field in _REQUIRED:
        if field not in given:
            raise InputError(f"the waiver has no {field}; write it", source)
    rule_id = find(given["rule"], source).id
    if rule_id.startswith(("waiver/", "values/refused")):
        raise InputError(f"{given['rule']} cannot be waived", source)
    try:
        expires = date.fromisoformat(given["expires"])
    except ValueError:
        raise InputError(f'expires is {given["expires"]!r}; write a day as "YYYY-MM-DD"', source) from None
    return Waiver(**{**given, "rule": rule_id, "expires": expires, "source": source})  # type: ignore[arg-type]
