"""What the check says of a chart with some values: all well, refused with a sentence, or what should not be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops import examine
from llmops.checks.reading.values_schema import violations
from llmops.findings import Finding, InputError, RefusedError, Severity
from llmops.release import Inputs, archive
from llmops.render import DEFAULT_KUBE_VERSION, Target
from llmops.render.sdk import SdkRenderer, merge_values
from tests.values_coverage.domain import CHARTS, Path_, known_keys

RENDERER = SdkRenderer()
TARGET = Target("demo", "llm")
REFUSED = "values/refused"
LONGEST = 500  # characters of a sentence that somebody still reads
# Words of Go, of Helm, and of a printf that got something else than it names.
MACHINE_WORDS = re.compile(
    r"nil pointer|executing \"|runtime error|bug of the chart|can't evaluate|template:|\.tpl\b|map\[|<nil>|%!|"
    r"error calling"
)
# What combinations of any values may rightly be told: the check looks at what no schema can relate.
# Rule → words of the finding, and why.
EXPECTED = {
    "image/missing-digest": ("", "a digest is no default"),
    "image/floating-tag": ("", "tags are free text"),
    "image/unsafe-engine": ("vLLM 0.10.2", "the tag of another engine, put beside the name of ours"),
    "engine/version-differs": ("vLLM 0.10.2", "the same tag beside the version that is the default"),
    "semantics/volume": (
        '"plugins", no volume',
        "an extra container whose extra volume is somebody else's list",
    ),
    "model/unpinned-revision": ("", "a revision is no default"),
    "security/route-without-tls": ("", "route.tls: false is somebody's choice, and told in production"),
    "policy/card-digest": ("", "the digest of a card is no default"),
    "semantics/port": ("endPort", "that a range ends behind its begin is no matter of a schema"),
    "semantics/network": (".ipBlock.except[", "whether a block lies in another is no matter of a schema"),
    "semantics/schedule": ("no time zone", "the names of time zones are no matter of a schema"),
    "values/promises-contradict": ("", "what two promises mean together is no matter of a schema"),
    "policy/open-engine": (
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
        "who sets runtimeLoading takes that risk, by a waiver",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """`refused` are findings of what the chart does not take; `wrong` is what should not be, '' when all is well."""

    refused: tuple[Finding, ...] = ()
    wrong: str = ""


def judged(chart: str, values: dict[str, Any], scratch: Path) -> Verdict:
    """Every refusal is one readable sentence, and what is rendered has no error. A render of nothing is fine."""
    file = scratch / f"{chart}.yaml"
    file.write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML, and quicker to write
    inputs = Inputs(CHARTS / chart, (file,), TARGET)
    try:
        if found := shape(chart, values):
            return Verdict(tuple(found), next(filter(None, (unreadable(chart, one) for one in found)), ""))
        (report,) = examine.releases([inputs], RENDERER, [DEFAULT_KUBE_VERSION])
    except InputError as error:
        return Verdict(wrong="" if "renders no object" in error.message else f"unreadable: {error}")
    refused = tuple(one for one in report.findings if one.rule == REFUSED)
    if refused:
        return Verdict(refused, next(filter(None, (unreadable(chart, one) for one in refused)), ""))
    for one in report.findings:
        if (
            one.severity >= Severity.ERROR
            and EXPECTED.get(one.rule, (one.message + "?",))[0] not in one.message
        ):
            return Verdict(wrong=f"{one.rule} {one.kind} {one.path}: {one.message}")
    return Verdict()


def shape(chart: str, values: dict[str, Any]) -> list[Finding]:
    """What the schema refuses: asked first, since the check would judge the render as well."""
    try:
        merged = merge_values(archive(CHARTS / chart, schemas=False), [values])
    except RefusedError:
        return []  # the check says what it is
    return [
        Finding(rule=REFUSED, severity=Severity.ERROR, path=f"values{one.pointer}", message=one.message)
        for one in violations(CHARTS / chart, merged)
    ]


def unreadable(chart: str, finding: Finding) -> str:
    """Why a refusal is no sentence that a reader of values understands; '' when it is one."""
    message = finding.message
    if "\n" in message:
        return f"refused in several lines: {message}"
    if words := MACHINE_WORDS.search(message):
        return f"refused in words of a machine ({words[0]}): {message}"
    if len(message.partition("write one of")[0]) > LONGEST:  # what follows is a list to choose from
        return f"refused in {len(message)} characters: {message}"
    if not named(chart, message):
        return f"refused without a key: {message}"
    return ""


def named(chart: str, message: str) -> set[Path_]:
    """The keys of the chart that a sentence names, by their whole path or by a part of it from the top.

    Of a key inside a mapping with free keys it is the mapping.
    """
    words = {tuple(word.split(".")) for word in re.findall(r"[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)*", message)}
    known = known_keys(chart)
    above = {word[:depth] for word in words if word not in known for depth in range(1, len(word))}
    return (words | above) & known
