"""Texts of alerts are Go templates: one that does not parse keeps Prometheus from loading the whole file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.wording import closest
from llmops.promql.targets import RULES
from llmops.references import mapping, text, walk
from llmops.release import Release

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.S)
_STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`", re.S)
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_DEFINED = re.compile(r"\$([A-Za-z_]\w*)\s*(?:,\s*\$([A-Za-z_]\w*)\s*)?:=")
_FUNCTION = re.compile(r"(?:^|\||\()\s*([A-Za-z_]\w*)")
_KNOWN_VARIABLES = {"labels", "value", "externalLabels", "externalURL"}
_OPENS = ("if", "range", "with", "define", "block")
# Go's own and its words, and Prometheus'.
_FUNCTIONS = set(
    re.findall(
        r"\w+",
        """if range with define block else end template break continue and or not len index slice print printf println
        html js urlquery call eq ne lt le gt ge true false nil query first label value sortByLabel strvalue args title
        reReplaceAll safeHtml match toUpper toLower graphLink tableLink stripPort stripDomain humanize humanize1024
        humanizeDuration humanizePercentage humanizeTimestamp pathPrefix externalURL parseDuration parseDurationTime
        toTime toDuration now tmpl urlQueryEscape""",
    )
)


@rule(
    "LQ128",
    severity=ERROR,
    fix="Write a template that Prometheus knows, such as {{ $labels.pod }} or {{ $value | humanize }}.",
)
def alert_text_unparsable(release: Release) -> Iterator[Finding]:
    """Labels and annotations with a variable, a function or a bracket that is none: Prometheus refuses the whole file.

    Judged are braces, variables and functions in the rules of PrometheusRules.
    """
    for obj in graph(release).of_kind(RULES):
        for pointer, given in walk(obj.data, "/spec/groups/*/rules/*"):
            for part in ("labels", "annotations"):
                for key, written in mapping(mapping(given).get(part)).items():
                    if wrong := _wrong(text(written)):
                        yield defect(obj, f"{pointer}/{part}/{str(key).replace('/', '~1')}", f"{wrong}.")


def _wrong(written: str) -> str:
    """Why a text is no template, in words; empty where nothing is seen."""
    actions = _ACTION.findall(written)
    left = _ACTION.sub("", written)
    if "{{" in left or ("}}" in left and actions):
        return "braces are open: {{ and }} belong together"
    depth, known = 0, set(_KNOWN_VARIABLES)
    for action in actions:
        bare = _STRINGS.sub('""', action.strip().strip("-").strip())
        if bare.startswith("/*"):
            continue
        known |= {name for pair in _DEFINED.findall(bare) for name in pair if name}
        for name in _VARIABLE.findall(bare):
            if name not in known:
                return f"${name} is no variable of an alert's text{closest(name, known)}"
        for name in _FUNCTION.findall(_DEFINED.sub("", bare)):
            if name not in _FUNCTIONS:
                return f"{name} is no function of Prometheus' templates{closest(name, _FUNCTIONS)}"
        word = bare.partition(" ")[0]
        depth += (word in _OPENS) - (word == "end")
        if depth < 0:
            return "{{ end }} closes nothing"
    return "an {{ if }}, {{ range }} or {{ with }} has no {{ end }}" if depth else ""
