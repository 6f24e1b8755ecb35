"""Theme `values`: does the chart take the values?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from llmops.checks.reading.values_schema import violations
from llmops.checks.registry import ERROR, WARNING, rule, values_defect
from llmops.findings import Finding
from llmops.kubernetes.violations import pointer
from llmops.references import mapping, sequence, text
from llmops.release import Release, environments_beside, merge
from llmops.render.manifest import ValuesFile, read_values


@rule("LV101", severity=ERROR, fix="Write what the message asks for.")
def refused(release: Release) -> Iterator[Finding]:
    """Helm renders nothing when a values schema or a `fail` in a template refuses the values.

    The schema of every component counts, also of one that is switched off: a typo there would
    show only on the day it is switched on.
    """
    if release.inputs is not None:
        written = partial(_written, release.values_files)
        for violation in violations(release.inputs.chart, release.values, written):
            yield values_defect(release, violation.pointer, violation.message, fix=violation.fix)


@rule("LV103", severity=WARNING, fix="Set the key that the message names, and remove the flag.")
def flag_with_own_key(release: Release) -> Iterator[Finding]:
    """A flag that got a key of its own is taken from engine.extraArgs for one minor version of the charts.

    The next one refuses it there. With the key, its value is checked before the engine reads it, and the rules see it.
    """
    settings = release.view
    if settings.engine is None:
        return
    keys = {
        flag: text(row["key"])
        for row in map(mapping, sequence(settings.engine.table.get("flags")))
        if "keySince" in row
        for flag in (text(row["flag"]), *map(text, sequence(row.get("aliases"))))
    }
    for index, word in enumerate(settings.served.items("engine.extraArgs")):
        flag = text(word).partition("=")[0].partition(" ")[0].partition(".")[0].replace("_", "-")
        if flag in keys:
            message = f"{flag} is {settings.served.key(f'engine.{keys[flag]}')} by now."
            yield values_defect(release, settings.served.at(f"engine.extraArgs.{index}"), message)


def _written(values_files: Sequence[ValuesFile], path: list[Any]) -> str | None:
    """What the last file that decides the value has there, when that is a scalar without quotes."""
    place = pointer(path)
    last = next((file for file in reversed(values_files) if file.decides(place)), None)
    return last.written(place) if last else None


@rule(
    "LV102",
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
