"""What the tables of this package are made of: checks of one value, and how they combine to checks of whole objects.

A check takes a value, its JSON Pointer and a Report. It leaves a value of a wrong type alone, since the schema
refuses it. An empty text or list counts as absent, as it does for the API server; `required` says where that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from llmops.kubernetes.wording import closest

Object = dict[str, Any]


class Problem(NamedTuple):
    """One thing that the API server refuses: its theme, where it stands, one sentence, and what to write."""

    theme: str
    pointer: str
    message: str
    fix: str


class Report:
    """Collects problems that an API server of Kubernetes 1.`minor` has with an object."""

    __slots__ = ("minor", "problems")

    def __init__(self, minor: int) -> None:
        self.minor = minor
        self.problems: list[Problem] = []

    def add(self, theme: str, pointer: str, said: str, fix: str) -> None:
        """A problem; `said` continues a sentence that begins with the field's name."""
        self.problems.append(Problem(theme, pointer, f"{dotted(pointer)} {said}.", fix))


Check = Callable[[Any, str, Report], None]
Form = Callable[[str], "tuple[str, str] | None"]
"""Of a text: None when it is fine, else what is wrong (continuing a sentence) and what to write."""


def dotted(pointer: str) -> str:
    """A JSON Pointer as people write paths: spec.ports[0].name."""
    out = ""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if part.isdecimal():
            out += f"[{part}]"
        elif "." in part or "/" in part:
            out += f'["{part}"]'
        else:
            out += f".{part}" if out else part
    return out or "the object"


def escaped(key: object) -> str:
    """A key as one part of a JSON Pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def shown(value: object) -> str:
    """A value in a message, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def number(value: object) -> int | None:
    """The value when it is an integer."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Struct:
    """An object with known fields. `required` may not be empty; `rules` see the whole object."""

    __slots__ = ("fields", "required", "rules", "theme")

    def __init__(
        self,
        fields: Mapping[str, Check],
        *rules: Check,
        required: Iterable[str] = (),
        theme: str = "required",
    ) -> None:
        self.fields = dict(fields)
        self.rules = rules
        self.required = tuple(required)
        self.theme = theme

    def __call__(self, value: Any, at: str, out: Report) -> None:
        if not isinstance(value, dict):
            return
        fields = self.fields
        for key, one in value.items():
            check = fields.get(key)
            if check is not None and one is not None:
                check(one, f"{at}/{key}", out)
        for key in self.required:
            if value.get(key) in (None, "", []):
                missing(out, f"{at}/{key}", self.theme)
        for rule in self.rules:
            rule(value, at, out)


def missing(out: Report, at: str, theme: str = "required") -> None:
    """The problem of a field that is absent or empty."""
    out.add(theme, at, "is missing or empty", f"Write {at.rpartition('/')[2]}.")


def each(item: Check, *, unique: str | Callable[[Any], Any] = "", some: bool = False) -> Check:
    """A list of items; `unique` names the field (or gives the key) that no two items share, `some` wants one."""

    def check(value: Any, at: str, out: Report) -> None:
        if not isinstance(value, list):
            return
        if some and not value:
            missing(out, at)
        for index, one in enumerate(value):
            item(one, f"{at}/{index}", out)
        if unique and len(value) > 1:
            no_twins(value, unique, at, out)

    return check


def no_twins(value: list[Any], unique: str | Callable[[Any], Any], at: str, out: Report) -> None:
    """Two items with the same key. An empty or absent key is another rule's business."""
    seen: dict[Any, int] = {}
    for index, one in enumerate(value):
        key = unique(one) if callable(unique) else one.get(unique) if isinstance(one, dict) else None
        if key in (None, "") or isinstance(key, dict | list):
            continue
        if key in seen:
            field = f"/{unique}" if isinstance(unique, str) else ""
            said = f"is {shown(key)} like that of item {seen[key]}"
            out.add("duplicate", f"{at}/{index}{field}", said, "Leave one of the two out, or rename it.")
        seen.setdefault(key, index)


def entries(key: Form | None, item: Check | None = None, theme: str = "value") -> Check:
    """A map whose keys have a form and whose values pass a check."""

    def check(value: Any, at: str, out: Report) -> None:
        if isinstance(value, dict):
            for name, one in value.items():
                if key is not None and (wrong := key(name)):
                    out.add(theme, f"{at}/{escaped(name)}", f"as a key {wrong[0]}", wrong[1])
                if item is not None:
                    item(one, f"{at}/{escaped(name)}", out)

    return check


def text(form: Form, theme: str = "value") -> Check:
    """A text that is empty or has a form."""

    def check(value: Any, at: str, out: Report) -> None:
        if isinstance(value, str) and value and (wrong := form(value)):
            out.add(theme, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])

    return check


INT32, INT64 = 2**31 - 1, 2**63 - 1


def whole(low: int = 0, high: int = INT32, theme: str = "value", *, zero: bool = False) -> Check:
    """An integer within bounds; `zero` means that 0 stands for the default."""

    def check(value: Any, at: str, out: Report) -> None:
        if number(value) is None or (zero and value == 0):
            return
        if value < low:
            out.add(theme, at, f"must be at least {low}, not {value}", f"Write {low} or more.")
        elif value > high:
            out.add(theme, at, f"must be at most {high}, not {value}", f"Write {high} or less.")

    return check


def choice(*allowed: str, theme: str = "value") -> Check:
    """One of some words. An empty text is left to `required`."""

    def check(value: Any, at: str, out: Report) -> None:
        if isinstance(value, str) and value and value not in allowed:
            listed = ", ".join(allowed)
            hint = closest(value, allowed)
            out.add(
                theme, at, f"must be one of {listed}, not {shown(value)}{hint}", f"Write one of {listed}."
            )

    return check


def strict(*allowed: str, theme: str = "value") -> Check:
    """One of some words; an empty text is none of them."""
    usual = choice(*allowed, theme=theme)

    def check(value: Any, at: str, out: Report) -> None:
        if value == "":
            listed = ", ".join(allowed)
            out.add(theme, at, f"must be one of {listed}, not empty", f"Write one of {listed}.")
        usual(value, at, out)

    return check


def one_of(*names: str, least: int = 1, theme: str = "union") -> Check:
    """Exactly one of some fields (or at most one, with `least` 0)."""
    listed = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")

    def check(value: Any, at: str, out: Report) -> None:
        given = [name for name in names if value.get(name) is not None]
        if len(given) > 1:
            out.add(
                theme,
                f"{at}/{given[1]}",
                f"stands beside {given[0]}, but only one of them may be set",
                f"Keep one of {', '.join(given)}.",
            )
        elif len(given) < least:
            out.add(theme, at, f"needs one of {listed}", f"Write one of {listed}.")

    return check


def every(*checks: Check) -> Check:
    """All of some checks."""

    def check(value: Any, at: str, out: Report) -> None:
        for one in checks:
            one(value, at, out)

    return check


def since(minor: int, check: Check) -> Check:
    """A check that Kubernetes 1.`minor` was the first to make."""

    def newer(value: Any, at: str, out: Report) -> None:
        if out.minor >= minor:
            check(value, at, out)

    return newer


def until(minor: int, check: Check) -> Check:
    """A check that Kubernetes 1.`minor` was the last to make."""

    def older(value: Any, at: str, out: Report) -> None:
        if out.minor <= minor:
            check(value, at, out)

    return older


def must(holds: Callable[[Any], bool], field: str, said: str, fix: str, theme: str = "value") -> Check:
    """A rule of an object that fails with a fixed sentence about one of its fields."""

    def check(value: Any, at: str, out: Report) -> None:
        if not holds(value):
            out.add(theme, f"{at}/{field}" if field else at, said, fix)

    return check
