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
from llmops.values import LLM, setting

_MILLISECONDS = 100  # a time to the first token of so many seconds is none
_LONGEST_PROMISES = {"e2eP95Seconds": 900, "ttftP95Seconds": 300, "itlP95Seconds": 10}


@rule("LV101", severity=ERROR, fix="Correct the key in the values file that the finding names.")
def refused(release: Release) -> Iterator[Finding]:
    """Helm renders nothing when a values schema or a `fail` in a template refuses the values.

    The schema of every component counts, also of one that is switched off: a typo there would
    show only on the day it is switched on.
    """
    if release.inputs is not None:
        lost = list(lost_layers(release.values_files))
        yield from (values_defect(release, at, message, fix=fix) for at, message, fix in lost)
        replaced = {at for at, _, _ in lost}
        written = partial(_written, release.values_files)
        for violation in violations(release.inputs.chart, release.values, written):
            if violation.pointer not in replaced:
                yield values_defect(release, violation.pointer, violation.message, fix=violation.fix)


@rule("LV104", severity=ERROR, fix="Promise the first token earlier, or the whole answer later.")
def promises_contradict(release: Release) -> Iterator[Finding]:
    """No answer is complete before its first token, so one of the two promises would never be the one that breaks."""
    slo = {name: _promise(release, name) for name in ("ttftP95Seconds", "e2eP95Seconds")}
    first, whole = slo["ttftP95Seconds"], slo["e2eP95Seconds"]
    if first > whole:
        seconds = first / 1000 if first >= _MILLISECONDS and first / 1000 <= whole else 0
        fix = (
            f"Write {seconds:g}: it is in seconds, and {first:g} looks like milliseconds." if seconds else ""
        )
        message = f"the first token is promised in {first:g} s, and the whole answer in {whole:g} s."
        yield values_defect(release, "/global/llm/slo/ttftP95Seconds", message, fix=fix)


@rule("LV105", severity=WARNING, fix="Write what users are promised, in seconds.")
def promise_without_meaning(release: Release) -> Iterator[Finding]:
    """A promise of a quarter of an hour is broken by nothing: gates and alerts that read it never speak.

    The usual cause is a figure in milliseconds.
    """
    for name, most in _LONGEST_PROMISES.items():
        if (seconds := _promise(release, name)) >= most:
            message = f"{name} is {seconds:g} s, which hardly any server could exceed."
            fix = f"Write {seconds / 1000:g} where milliseconds were meant."
            yield values_defect(release, f"/global/llm/slo/{name}", message, fix=fix)


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


def lost_layers(values_files: Sequence[ValuesFile]) -> Iterator[tuple[str, str, str]]:
    """(pointer, message, fix) of each value that stands in the place of a mapping of an earlier file.

    Helm throws such a mapping away without a word, and a mapping that replaces another value as well.
    """
    mappings: dict[str, str] = {}
    for file in values_files:
        for at, value in _nodes(file.data, ""):
            if isinstance(value, Mapping):
                if value:
                    mappings[at] = file.at(at)
            elif value is not None and at in mappings:
                what = "a list" if isinstance(value, list) else "a value"
                key = at[1:].replace("/", ".")
                message = f"{key} is {what}, and a mapping in {mappings[at]}, which Helm throws away."
                yield at, message, "Write a mapping with what differs, or null to throw it away on purpose."


def _nodes(node: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        at = f"{above}/{str(key).replace('~', '~0').replace('/', '~1')}"
        yield at, value
        if isinstance(value, Mapping):
            yield from _nodes(value, at)


def _promise(release: Release, name: str) -> float:
    """A promise of `global.llm.slo` in seconds: the release's own, else the contract's default."""
    stated = release.view.llm.number(f"slo.{name}")
    return float(setting(LLM, f"slo.{name}").default if stated is None else stated)


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
