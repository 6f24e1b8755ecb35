"""Theme `policy`: what one object alone can say, by the policies of the chart llm-policies, in their own CEL.

A policy is a rule; its annotations hold what a report needs besides: `code`, `rule` (the id, by default policy/<name>),
`severity`, `why`, `fix`, and `at`, where in an object it looks. CEL answers for a whole object, so the place is
found by asking again about the object with all but one of these parts taken out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

from llmops.checks.registry import ERROR, RULES, WARNING, Rule, defect, memoized
from llmops.findings import Finding
from llmops.kubernetes.admission import EvaluationError, Policy, Subject, policies, suspected
from llmops.kubernetes.kinds import CONTAINERS
from llmops.references import kind_of, pod_templates, walk
from llmops.release import Release
from llmops.render.manifest import Object

_ABOUT = "llm-policies/"
_SEVERITIES = {"error": ERROR, "warning": WARNING}


def refused(policy: Policy, release: Release) -> Iterator[Finding]:
    """What a policy has against the objects of a release, each with the part of the object that it is about."""
    for obj, said in memoized(_all, release).get(policy.name, ()):
        for pointer, message in located(policy, obj, memoized(_cut, release), said) or [
            ("", one) for one in said
        ]:
            yield defect(obj, pointer, f"{message.rstrip('.')}.")


def _all(release: Release) -> dict[str, list[tuple[Object, list[str]]]]:
    """Policy → objects that it refuses, and why."""
    found: dict[str, list[tuple[Object, list[str]]]] = {}
    for obj in release.objects:
        subject = Subject(obj.data)
        for policy in suspected(_matching(*kind_of(obj)), obj.data):
            if said := _said(policy, subject):
                found.setdefault(policy.name, []).append((obj, said))
    return found


@lru_cache(maxsize=256)
def _matching(group: str, kind: str) -> tuple[Policy, ...]:
    return tuple(policy for policy in policies() if policy.matches(group, kind))


def _said(policy: Policy, subject: Subject) -> list[str]:
    """What a policy says; nothing where an expression fails, since the schema says of such an object what is wrong."""
    try:
        return policy.refusals(subject)
    except EvaluationError:
        return []


_Cut = dict[tuple[int, frozenset[str], str], Subject]
"""(id of an object, lists that were emptied, the element that was left) → what was judged."""


def _cut(_: Release) -> _Cut:
    """Several policies look at the same parts, and ask the same of each."""
    return {}


def located(
    policy: Policy, obj: Object, known: _Cut | None = None, said: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """(pointer, message) for each part of an object that is refused by itself; `said` is what the whole was told."""
    known = {} if known is None else known
    parts = list(dict.fromkeys(_parts(policy, obj)))
    if said and len(parts) == 1:
        # Nothing can be taken out, so the answer would be the same.
        return [(_place(obj, *parts[0]), message) for message in said]
    lists = {element.rpartition("/")[0] for element, _ in parts}
    found = []
    for element, rest in parts:
        key = (id(obj), frozenset(lists), element)
        if key not in known:
            known[key] = Subject(_only(obj.data, "", lists, element))
        for message in _said(policy, known[key]):
            found.append((_place(obj, element, rest), message))
    return found


def _place(obj: Object, element: str, rest: str) -> str:
    return element + rest if obj.get(element + rest) is not None else element


def _parts(policy: Policy, obj: Object) -> Iterator[tuple[str, str]]:
    """Elements of lists that the policy looks at, each with the rest of the pointer below it.

    A pattern that begins with / starts at the object; any other at a pod's spec, where `containers` means all.
    """
    for pattern in policy.annotations.get(f"{_ABOUT}at", "").split():
        starts = [""] if pattern.startswith("/") else [one.spec_pointer for one in pod_templates(obj)]
        kinds = [pattern]
        if not pattern.startswith("/"):
            below = pattern.removeprefix("containers/*")
            kinds = [f"/{pattern}"] if below == pattern else [one + below for one in CONTAINERS]
        for start in starts:
            for kind in kinds:
                head, _, rest = (start + kind).rpartition("/*")
                for holder, value in walk(obj.data, head):
                    if isinstance(value, list):
                        yield from ((f"{holder}/{index}", rest) for index in range(len(value)))


def _only(data: Any, here: str, lists: set[str], element: str) -> Any:
    """The object with one element left of all in these lists; what is not on the way to one is not copied."""
    if here in lists:
        own, _, index = element.rpartition("/")
        return [data[int(index)]] if here == own else []
    if not any(one.startswith(f"{here}/") for one in lists):
        return data
    if isinstance(data, list):
        return [_only(value, f"{here}/{index}", lists, element) for index, value in enumerate(data)]
    return {
        key: _only(value, f"{here}/{key.replace('~', '~0').replace('/', '~1')}", lists, element)
        for key, value in data.items()
    }


def _register(policy: Policy) -> None:
    about = {key.removeprefix(_ABOUT): value for key, value in policy.annotations.items()}
    rule_id = about.get("rule", f"policy/{policy.name}")
    RULES[rule_id] = Rule(
        id=rule_id,
        code=about.get("code", ""),
        severity=_SEVERITIES[about.get("severity", "error")],
        fix=about["fix"].strip(),
        doc=about["why"].strip(),
        check=partial(refused, policy),
        per_release=True,
    )


for _policy in policies():
    _register(_policy)
