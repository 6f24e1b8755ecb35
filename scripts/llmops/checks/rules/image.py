"""Theme `image`: what is known of the engine in an image. Tags and digests by themselves are policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice

import yaml
from yaml.cyaml import CSafeLoader

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.references import text
from llmops.release import Release

Version = tuple[int, ...]
_SEVERE = ("code", "access")
# Only repositories that carry the project's own tags: what another image's number counts is not known.
_ENGINE = re.compile(r"(?:^|/)vllm/vllm-openai(?:-nonroot)?:v?(\d+)\.(\d+)\.(\d+)(?!\d|\.\d)")
_SHOWN = 3


@dataclass(frozen=True)
class Advisory:
    """One hole of the engine; `effect` is code, access, outage or other, `fixed` the first safe release."""

    id: str
    fixed: Version
    effect: str
    why: str


@rule("LM101", severity=ERROR, fix="Run a newer vLLM, or waive the finding with a reason.")
def unsafe_engine(release: Release) -> Iterator[Finding]:
    """This version of vLLM runs code of strangers, lets them past its key, or shows one user's text to another.

    The version is read from the tag of an image vllm/vllm-openai, whatever the registry; a digest alone says nothing.
    """
    yield from _judged(release, lambda open_: any(one.effect in _SEVERE for one in open_))


@rule("LM102", severity=WARNING, fix="Run a newer vLLM, or waive the finding with a reason.")
def outdated_engine(release: Release) -> Iterator[Finding]:
    """This version of vLLM has holes that are known and closed in later ones: a request may stop the engine."""
    yield from _judged(release, lambda open_: not any(one.effect in _SEVERE for one in open_))


@cache
def advisories() -> tuple[Advisory, ...]:
    """The table, as it is ordered."""
    table = files("llmops.data").joinpath("advisories/vllm.yaml").read_text(encoding="utf-8")
    rows = yaml.load(table, CSafeLoader)
    return tuple(
        Advisory(row["id"], tuple(map(int, row["fixed"].split("."))), row["effect"], row["why"])
        for row in rows["advisories"]
    )


def engine_version(image: str) -> Version | None:
    """The vLLM version that an image reference states; None when it states none."""
    found = _ENGINE.search(image)
    return tuple(map(int, found.groups())) if found else None


def _judged(release: Release, wanted: Callable[[list[Advisory]], bool]) -> Iterator[Finding]:
    for pods in graph(release).pods:
        for pointer, container in pods.containers():
            version = engine_version(text(container.get("image")))
            holes = [one for one in advisories() if version and version < one.fixed]
            if version and holes and wanted(holes):
                safe = ".".join(map(str, max(one.fixed for one in holes)))
                message = f"vLLM {'.'.join(map(str, version))} is open to {_named(holes)}."
                fix = f"Run vLLM {safe} or newer, or waive the finding with a reason."
                yield defect(pods.owner, f"{pointer}/image", message, fix=fix)


def _named(holes: list[Advisory]) -> str:
    """The worst first, then those that were closed last."""
    ranked = sorted(holes, key=lambda one: one.fixed, reverse=True)
    ranked.sort(key=lambda one: one.effect not in _SEVERE)
    shown = [f"{one.id} ({one.why})" for one in islice(ranked, _SHOWN)]
    more = len(ranked) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
