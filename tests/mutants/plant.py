"""How a defect is written down: a row of a table that says which place of which objects becomes what."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

DROP = object()
"""The key goes away."""
ABSENT = object()
"""There is nothing to spoil here."""

WORKLOAD = "Rollout Deployment"
PODS = {
    "Rollout": "spec/template/spec",
    "Deployment": "spec/template/spec",
    "Pod": "spec",
    "CronJob": "spec/jobTemplate/spec/template/spec",
    "AnalysisTemplate": "spec/metrics/*/provider/job/spec/template/spec",
}


@dataclass(frozen=True)
class Change:
    """An ordinary mistake: at `path` of an object of one of the `kinds` stands `to` instead.

    A path is keys with `/` between, `*` for any item, `pod/` for where the kind has its pod, `~1` for a slash
    inside a key. `to` is a value, DROP, or a function of the old value; one whose last key is missing is added.
    """

    name: str
    kinds: str
    path: str
    to: Any
    needs: Callable[[dict[str, Any]], bool] = lambda _: True
    """Whether the object is one in which this is a mistake."""
    not_in: tuple[str, ...] = ()
    """Bases in which it is none."""

    def plant(self, objects: list[dict[str, Any]], draw: random.Random) -> str:
        """Spoils one object in place; says which, or '' where none has the place."""
        found = [
            (obj, holder, key, new)
            for obj in objects
            if obj["kind"] in self.kinds.split() and self.needs(obj)
            for holder, key in places(obj, self._tokens(obj["kind"]))
            for new in [self._new(holder, key)]
            if new is not ABSENT and new != _at(holder, key)
        ]
        if not found:
            return ""
        obj, holder, key, new = draw.choice(found)
        if new is DROP:
            del holder[key]
        elif isinstance(holder, list) and key == len(holder):
            holder.append(new)
        else:
            holder[key] = new
        return f"{obj['kind']}/{obj['metadata']['name']}"

    def _tokens(self, kind: str) -> list[str]:
        path = self.path
        if path.startswith("pod/"):
            path = f"{PODS.get(kind, 'none')}/{path.removeprefix('pod/')}"
        return [token.replace("~1", "/") for token in path.split("/")]

    def _new(self, holder: Any, key: Any) -> Any:
        old = _at(holder, key)
        if self.to is DROP:
            return DROP if old is not ABSENT else ABSENT
        if callable(self.to):
            return self.to(copy.deepcopy(old)) if old is not ABSENT else ABSENT
        return copy.deepcopy(self.to)


@dataclass(frozen=True)
class Removed:
    """An object of one of the kinds is forgotten."""

    name: str
    kinds: str

    def plant(self, objects: list[dict[str, Any]], draw: random.Random) -> str:
        """As Change.plant."""
        found = [obj for obj in objects if obj["kind"] in self.kinds.split()]
        if not found:
            return ""
        gone = draw.choice(found)
        objects.remove(gone)
        return f"{gone['kind']}/{gone['metadata']['name']}"


Make = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class Added:
    """One object too many, made from one that is there; `make` gives None where it cannot."""

    name: str
    make: Make

    def plant(self, objects: list[dict[str, Any]], draw: random.Random) -> str:
        """As Change.plant."""
        made = [new for obj in objects if (new := self.make(obj))]
        if not made:
            return ""
        new = copy.deepcopy(draw.choice(made))
        objects.append(new)
        return f"{new['kind']}/{new['metadata']['name']}"


Row = Change | Removed | Added


def places(node: Any, tokens: list[str]) -> Iterator[tuple[Any, Any]]:
    """The (mapping or list, key) that a path leads to; the last key of a mapping may be missing, `-` appends."""
    step, rest = tokens[0], tokens[1:]
    if step == "*":
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node or ())))
    elif isinstance(node, list):
        keys = [len(node)] if step == "-" else [int(step)] if int(step) < len(node) else []
    else:
        keys = [step] if isinstance(node, dict) and (step in node or not rest) else []
    for key in keys:
        if not rest:
            yield node, key
        elif isinstance(node[key], dict | list):
            yield from places(node[key], rest)


def _at(holder: Any, key: Any) -> Any:
    if isinstance(holder, list):
        return holder[key] if key < len(holder) else ABSENT
    return holder.get(key, ABSENT)


def typo(old: Any) -> Any:
    """Two letters swapped; a word too short or too even for that loses its end."""
    if not isinstance(old, str) or len(old) < 2:
        return ABSENT
    for at in range(len(old) // 2, len(old) - 1):
        if old[at] != old[at + 1] and old[at : at + 2].isalpha():
            return old[:at] + old[at + 1] + old[at] + old[at + 2 :]
    return old[:-1]


def swap(old: str, new: str) -> Callable[[Any], Any]:
    """Replaces a part of a text, once."""

    def change(value: Any) -> Any:
        return value.replace(old, new, 1) if isinstance(value, str) and old in value else ABSENT

    return change


def without(**match: Any) -> Callable[[Any], Any]:
    """A list without the items that have these values."""

    def change(value: Any) -> Any:
        kept = [one for one in value if not all(one.get(key) == wanted for key, wanted in match.items())]
        return kept if len(kept) < len(value) else ABSENT

    return change


def again(old: Any) -> Any:
    """A list with its first item twice."""
    return [*old, old[0]] if isinstance(old, list) and old else ABSENT


def plus(item: Any) -> Callable[[Any], Any]:
    """A list with one more item."""
    return lambda old: [*old, item] if isinstance(old, list) else ABSENT
