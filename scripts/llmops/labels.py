"""Label selectors: what they pick, and indexes that find it without looking at everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from llmops.untyped import mapping, sequence, text

_T = TypeVar("_T")


def matches(
    selector: Mapping[str, Any], labels: Mapping[str, Any], runtime: frozenset[str] = frozenset()
) -> bool:
    """Whether a label selector picks pods with these labels; those in `runtime` have whatever is asked."""
    for key, value in mapping(selector.get("matchLabels")).items():
        if key not in runtime and (key not in labels or labels[key] != value):
            return False
    for expression in map(mapping, sequence(selector.get("matchExpressions"))):
        key, values = text(expression.get("key")), sequence(expression.get("values"))
        if key in runtime:
            continue
        held = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not held.get(text(expression.get("operator")), False):
            return False
    return True


@dataclass
class _Space(Generic[_T]):
    """One namespace: everything in it, by label, and the label keys that some get only at run time."""

    everything: list[_T] = field(default_factory=list)
    by_label: dict[tuple[str, str], list[_T]] = field(default_factory=dict)
    runtime: set[str] = field(default_factory=set)


class Labelled(Generic[_T]):
    """Things with labels in namespaces. A selector looks at those with the rarest of its labels only."""

    def __init__(
        self,
        things: Iterable[_T],
        namespace: Callable[[_T], str],
        labels: Callable[[_T], Mapping[str, Any]],
        runtime: Callable[[_T], frozenset[str]] = lambda _: frozenset(),
    ) -> None:
        self._labels, self._runtime = labels, runtime
        self._spaces: dict[str, _Space[_T]] = {}
        self._picked: dict[tuple[str, str], list[_T]] = {}
        for thing in things:
            space = self._spaces.setdefault(namespace(thing), _Space())
            space.everything.append(thing)
            space.runtime |= runtime(thing)
            for pair in _pairs(labels(thing)):
                space.by_label.setdefault(pair, []).append(thing)

    @property
    def namespaces(self) -> list[str]:
        """Those that have any."""
        return list(self._spaces)

    def picked(self, selector: Mapping[str, Any], namespace: str) -> list[_T]:
        """What a selector picks in a namespace, in order; the same list for the same selector."""
        key = (namespace, repr(selector))
        if key not in self._picked:
            self._picked[key] = list(self._matching(selector, namespace))
        return self._picked[key]

    def _matching(self, selector: Mapping[str, Any], namespace: str) -> Iterator[_T]:
        space = self._spaces.get(namespace)
        if space is None:
            return
        wanted = _pairs(mapping(selector.get("matchLabels")))
        rare = [space.by_label.get(pair, []) for pair in wanted if pair[0] not in space.runtime]
        for thing in min(rare, key=len, default=space.everything):
            if matches(selector, self._labels(thing), self._runtime(thing)):
                yield thing


class Selecting(Generic[_T]):
    """Things with a selector in namespaces, found by the labels of what they select."""

    def __init__(
        self,
        things: Iterable[_T],
        namespace: Callable[[_T], str],
        selector: Callable[[_T], Mapping[str, Any]],
    ) -> None:
        self._selector = selector
        # By one label that the selector asks for; under None those that ask for none.
        self._by_label: dict[tuple[str, tuple[str, str] | None], list[tuple[int, _T]]] = {}
        self._by_key: dict[tuple[str, str], list[tuple[int, _T]]] = {}
        for place, thing in enumerate(things):
            space = namespace(thing)
            pair = next(iter(_pairs(mapping(selector(thing).get("matchLabels")))), None)
            self._by_label.setdefault((space, pair), []).append((place, thing))
            if pair is not None:
                self._by_key.setdefault((space, pair[0]), []).append((place, thing))

    def __bool__(self) -> bool:
        return bool(self._by_label)

    def over(self, namespace: str, labels: Mapping[str, Any], runtime: frozenset[str]) -> list[_T]:
        """Those whose selector picks something with these labels, in order."""
        found = list(self._by_label.get((namespace, None), ()))
        for pair in _pairs(labels):
            if pair[0] not in runtime:
                found += self._by_label.get((namespace, pair), ())
        for key in runtime:
            found += self._by_key.get((namespace, key), ())
        return [
            thing for _, thing in sorted(found, key=_place) if matches(self._selector(thing), labels, runtime)
        ]


def _place(entry: tuple[int, Any]) -> int:
    return entry[0]


def _pairs(labels: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(key, value) for key, value in labels.items() if isinstance(value, str)]
