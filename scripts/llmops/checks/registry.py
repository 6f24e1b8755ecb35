"""What a rule is, and how one is written: a function over a release that yields defects."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from llmops.findings import Finding, InputError, Severity
from llmops.kubernetes.kinds import CLUSTER_SCOPED
from llmops.kubernetes.wording import closest
from llmops.references import Graph
from llmops.release import Release
from llmops.release import memoized as memoized
from llmops.render.manifest import Object

ERROR = Severity.ERROR
WARNING = Severity.WARNING


@dataclass(frozen=True)
class Rule:
    """One opinion. `check` takes a Release when `per_release`, else what its theme hands it.

    `id` is <theme>/<defect>. `code` never changes: two letters and three digits, empty for a policy of a user.
    """

    id: str
    code: str
    severity: Severity
    fix: str
    doc: str
    check: Callable[..., Iterator[Finding]]
    per_release: bool

    def judge(self, *subject: object) -> list[Finding]:
        """The rule's findings about its subject, complete with id, severity and fix."""
        found = list(self.check(*subject))
        # Nearly always there is nothing to complete.
        namespace = next((one.namespace for one in subject if isinstance(one, Release)), "") if found else ""
        return [self.complete(finding, namespace) for finding in found]

    def complete(self, finding: Finding, namespace: str = "") -> Finding:
        """A defect as a whole finding; an object that names no namespace lives in the release's."""
        if not finding.namespace and finding.kind not in CLUSTER_SCOPED:
            finding = replace(finding, namespace=namespace)
        return replace(
            finding, rule=self.id, severity=self.severity, fix=finding.fix or self._filled(finding)
        )

    def _filled(self, finding: Finding) -> str:
        """The rule's own fix with its placeholders filled; that of a finding may quote braces of the values."""
        fix = self.fix
        for key in ("kind", "name", "namespace"):
            fix = fix.replace(f"{{{key}}}", getattr(finding, key) or f"its {key}")
        return fix


RULES: dict[str, Rule] = {}
"""Every rule by its id."""

_Check = TypeVar("_Check", bound=Callable[..., Iterator[Finding]])


def rule(code: str, *, severity: Severity, fix: str, per_release: bool = True) -> Callable[[_Check], _Check]:
    """Registers a function as the rule `<theme>/<function>`; its docstring says why the defect matters.

    `code` is never given twice: tests/checks/codes.yaml lists all that were. `fix` may use {kind}, {name} and
    {namespace}. `run` leaves a rule with `per_release=False` to its theme.
    """

    def register(check: _Check) -> _Check:
        # A theme is a module of llmops.checks.rules, or a package of its own with a module per topic.
        theme = check.__module__.removeprefix(f"{__package__}.rules.").partition(".")[0]
        rule_id = f"{theme}/{check.__name__}".replace("_", "-")
        doc = inspect.cleandoc(check.__doc__ or "")
        RULES[rule_id] = Rule(rule_id, code, severity, fix, doc, check, per_release)
        return check

    return register


def find(name: str, source: str = "") -> Rule:
    """The rule of that id or code. Raises InputError with the nearest one when there is none."""
    by_code = {one.code: one for one in RULES.values() if one.code}
    found = RULES.get(name) or by_code.get(name)
    if found is None:
        raise InputError(f"there is no rule {name!r}{closest(name, (*RULES, *by_code))}", source)
    return found


def defect(obj: Object, pointer: str, message: str, *, fix: str = "") -> Finding:
    """A finding about one object at a JSON Pointer inside it; rule and release namespace come later."""
    return Finding(
        rule="",
        severity=ERROR,
        message=message,
        fix=fix,
        kind=obj.kind,
        namespace=obj.namespace,
        name=obj.name,
        path=pointer,
        source=obj.at(pointer),
    )


def values_defect(release: Release, pointer: str, message: str, *, fix: str = "") -> Finding:
    """A finding about the values of a release, at a JSON Pointer inside them."""
    return Finding(
        rule="",
        severity=ERROR,
        message=message,
        fix=fix,
        namespace=release.namespace,
        name=release.name,
        path=f"values{pointer}",
        source=values_source(release, pointer),
    )


def values_source(release: Release, pointer: str) -> str:
    """FILE:LINE in the last values file that sets or deletes the node or the nearest one above it; may be empty."""
    while pointer:
        for file in reversed(release.values_files):
            if file.decides(pointer):
                return file.at(pointer)
        pointer = pointer.rpartition("/")[0]
    return str(release.values_files[-1].path) if release.values_files else ""


def graph(release: Release) -> Graph:
    """The object graph of a release."""
    return memoized(_graph, release)


def _graph(release: Release) -> Graph:
    return Graph(release.objects, release.namespace or _usual_namespace(release.objects))


def _usual_namespace(objects: Iterable[Object]) -> str:
    """Where manifests of an unknown release are meant to live: where most of them say they do."""
    stated = Counter(obj.namespace for obj in objects if obj.namespace)
    return stated.most_common(1)[0][0] if stated else "default"
