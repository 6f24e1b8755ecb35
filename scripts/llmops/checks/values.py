"""Theme `values`: does the chart take the values?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from llmops.checks.registry import ERROR, RULES, WARNING, rule, values_defect
from llmops.findings import Finding, InputError, RefusedError
from llmops.kubernetes.schema import Schema
from llmops.kubernetes.violations import Violation, Written, explain, pointer, unknown
from llmops.references import mapping, sequence, text
from llmops.release import Inputs, Release, environments_beside, merge
from llmops.render.archive import once
from llmops.render.manifest import ValuesFile, read_values

_OF_THE_NAME = "the release name "
_KEY = re.compile(r"[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)*")


@rule(severity=ERROR, fix="Write what the message asks for.")
def refused(release: Release) -> Iterator[Finding]:
    """Helm renders nothing when a values schema or a `fail` in a template refuses the values.

    The schema of every component counts, also of one that is switched off: a typo there would
    show only on the day it is switched on.
    """
    if release.inputs is not None:
        written = partial(_written, release.values_files)
        for violation in violations(release.inputs.chart, release.values, written):
            yield values_defect(release, violation.pointer, violation.message, fix=violation.fix)


@rule(
    severity=WARNING,
    fix="Take the key out, so that the environment's file alone says it, or correct one of the two.",
)
def contradicting_fact(release: Release) -> Iterator[Finding]:
    """Facts of a cluster stand in environments/<env>.yaml; one repeated with another value splits the cluster in two.

    Alerts would be pulled from one registry and servers from another, or Argo CD would deploy to a namespace that
    no check has looked at. Looked at is what belongs to no model: values of llm-platform and of llm-gitops. A
    model's own files may override facts, that is their place among the layers.
    """
    if text(mapping(_facts_of(release.values).get("model")).get("name")):
        return
    yield from _repeated_facts(release)
    yield from _repeated_namespaces(release)


def _repeated_facts(release: Release) -> Iterator[Finding]:
    """`global.llm.environment` of all files but the environment's own, which is given or named by what they say."""
    name = text(mapping(_facts_of(release.values).get("environment")).get("name"))
    given = [file for file in release.values_files if file.path.parent.name == "environments"]
    environment = given[-1] if given else _environment_file(release, name)
    if environment is None:
        return
    facts = mapping(_facts_of(environment.data).get("environment"))
    others = [file for file in release.values_files if file.path != environment.path]
    repeated = mapping(_facts_of(merge([file.data for file in others])).get("environment"))
    for keys, value in _leaves(repeated):
        fact = _below_keys(facts, keys)
        if fact is not None and fact != value:
            pointer = "/global/llm/environment/" + "/".join(keys)
            yield values_defect(
                release, pointer, f"it is {_shown(value)}, but {environment.at(pointer)} says {_shown(fact)}."
            )


def _repeated_namespaces(release: Release) -> Iterator[Finding]:
    """`environments` of llm-gitops, whose namespaces Argo CD has to know before it reads a file of an environment."""
    for index, one in enumerate(map(mapping, sequence(release.values.get("environments")))):
        environment = _environment_file(release, text(one.get("name")))
        if environment is None:
            continue
        fact = mapping(_facts_of(environment.data).get("environment")).get("namespace")
        if fact and fact != one.get("namespace"):
            said = environment.at("/global/llm/environment/namespace")
            yield values_defect(
                release,
                f"/environments/{index}/namespace",
                f"it is {_shown(one.get('namespace'))}, but {said} says {_shown(fact)}.",
                fix=f"Write namespace: {fact}, or correct the environment's file.",
            )


def _environment_file(release: Release, name: str) -> ValuesFile | None:
    """environments/NAME.yaml beside the folder of the values files; None where there is no such file."""
    for file in reversed(release.values_files):
        folder = environments_beside(file.path)
        if name and folder is not None and (folder / f"{name}.yaml").is_file():
            return read_values(folder / f"{name}.yaml")
    return None


def _facts_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return mapping(mapping(values.get("global")).get("llm"))


def _leaves(node: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _below_keys(node: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        node = mapping(node).get(key)
    return node


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def taken(release: Release) -> Release:
    """The release itself; RefusedError with what the values schemas refuse first."""
    for finding in RULES["values/refused"].judge(release):
        where = f"{finding.source}: " if finding.source else ""
        raise RefusedError(f"{where}{finding.message} {finding.fix}".strip())
    return release


def values_findings(
    inputs: Inputs, coalesced_values: Mapping[str, Any], values_files: Sequence[ValuesFile]
) -> list[Finding]:
    """What the values schemas refuse in coalesced values, for a release that could not be rendered."""
    return RULES["values/refused"].judge(_unrendered(inputs, coalesced_values, values_files))


def refusal(error: RefusedError, inputs: Inputs, values_files: Sequence[ValuesFile] = ()) -> Finding:
    """The finding for a refusal that came from rendering, at the first key it names that a values file decides."""
    release = _unrendered(inputs, {}, values_files)
    named = ("/" + key.replace(".", "/") for key in _KEY.findall(error.message))
    pointer = next((one for one in named if any(file.decides(one) for file in values_files)), "")
    found = values_defect(release, pointer, error.message)
    if error.message.startswith(_OF_THE_NAME):
        # It stands in no values file: it was given to Helm.
        found = replace(found, path="", source="")
    return RULES["values/refused"].complete(found)


def _written(values_files: Sequence[ValuesFile], path: list[Any]) -> str | None:
    """What the last file that decides the value has there, when that is a scalar without quotes."""
    place = pointer(path)
    last = next((file for file in reversed(values_files) if file.decides(place)), None)
    return last.written(place) if last else None


def violations(chart: Path, values: Mapping[str, Any], written: Written = unknown) -> list[Violation]:
    """What the schemas of a chart and of its file:// dependencies refuse, with pointers into its values.

    A key that two schemas refuse is reported once. `written` knows the text of the
    values files. Raises InputError for a schema that is none.
    """
    found: dict[str, list[Violation]] = {}
    for keys, schema in once(("schemas", chart), lambda: _schemas(chart)):
        given = _below(values, keys)
        new: dict[str, list[Violation]] = {}
        for violation in explain(schema.validator.iter_errors(given), schema.schema, _Place(keys), written):
            new.setdefault(violation.pointer, []).append(violation)
        found = {**new, **found}
    return sorted(violation for several in found.values() for violation in several)


def _schemas(chart: Path) -> list[tuple[tuple[str, ...], Schema]]:
    """The schemas of a chart and of its dependencies, each with the keys that lead to what it is about."""
    files = [(keys, folder / "values.schema.json") for folder, keys in _charts(chart, (), frozenset())]
    return [
        (keys, _schema(str(file), file.read_text(encoding="utf-8"))) for keys, file in files if file.is_file()
    ]


class _Place:
    """From a component's values to the whole: `global` is shared, all else stands under its key."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys

    def __call__(self, path: list[Any]) -> list[Any]:
        return path if path[:1] == ["global"] else [*self.keys, *path]


def _charts(
    chart: Path, keys: tuple[str, ...], above: frozenset[Path]
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The chart and its dependencies in folders beside it, each with the keys that lead to its values."""
    yield chart, keys
    for dependency in map(mapping, sequence(_chart_yaml(chart / "Chart.yaml").get("dependencies"))):
        repository = text(dependency.get("repository"))
        key = text(dependency.get("alias")) or text(dependency.get("name"))
        folder = (chart / repository.removeprefix("file://")).resolve()
        if repository.startswith("file://") and key and folder.is_dir() and folder not in above:
            yield from _charts(folder, (*keys, key), above | {folder})


def _chart_yaml(file: Path) -> dict[str, Any]:
    try:
        # Read once, since every release of a tree asks.
        return read_values(file).data
    except InputError:
        # Rendering says what is wrong with the chart.
        return {}


def _below(values: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    """A component's values as its templates see them."""
    if not keys:
        # A component's copy of the global values is the global values' own affair: said once.
        return {key: _without_global(key, value) for key, value in values.items()}
    node: object = values
    for key in keys:
        node = mapping(node).get(key, {})
    if keys and isinstance(node, dict) and "global" in values:
        return {"global": values["global"], **node}
    return node


def _without_global(key: str, value: object) -> object:
    if key == "global" or not isinstance(value, Mapping):
        return value
    return {name: one for name, one in value.items() if name != "global"}


@lru_cache(maxsize=64)
def _schema(file: str, content: str) -> Schema:
    try:
        return Schema(json.loads(content))
    except ValueError as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"is no JSON schema that can be used offline: {reason}", file) from None


def _unrendered(inputs: Inputs, values: Mapping[str, Any], values_files: Sequence[ValuesFile]) -> Release:
    target = inputs.target
    return Release(
        name=target.name,
        namespace=target.namespace,
        kube_version=target.kube_version,
        objects=[],
        values=dict(values),
        values_files=tuple(values_files),
        model=None,
        inputs=inputs,
        templates={},
    )
