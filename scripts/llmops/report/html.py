"""One self-contained page: verdict, figures, two pictures, findings, objects. No scripts, nothing to load."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from llmops.promql.targets import PLACEHOLDER, queries
from llmops.report.contents import (
    HOURS_PER_MONTH,
    OVERHEADS,
    ReleaseReport,
    basis,
    duration,
    in_order,
    plural,
    span,
    subject,
    summary,
    waits,
    without_fit,
)
from llmops.report.drawings import memory_bar, steps_chart
from llmops.report.rules import label, why
from llmops.report.text import places
from llmops.report.timing import causes, clock, said, timing

if TYPE_CHECKING:
    from llmops.render.manifest import Object

HIDDEN = "(hidden)"
_TICKED = re.compile("`([^`]+)`")


def render(reports: Sequence[ReleaseReport]) -> str:
    """The page of one release, or of several under one another with a list of them on top."""
    pages = [_page(report) for report in reports]
    title = pages[0]["facts"].title if len(pages) == 1 else plural(len(pages), "release")
    return environment().get_template("report.html.j2").render(pages=pages, title=title)


def as_yaml(obj: Object) -> str:
    """An object as YAML for a reader; the values of a Secret are left out, for a report is passed around."""
    data = obj.data
    if obj.kind == "Secret":
        data = copy.deepcopy(data)
        for key in ("data", "stringData"):
            if isinstance(data.get(key), dict):
                data[key] = dict.fromkeys(data[key], HIDDEN)
    return yaml.dump(data, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=110)


def _page(report: ReleaseReport) -> dict[str, Any]:
    facts = summary(report)
    fit = report.fit
    line = timing(report)
    times = [clock(row.seconds) if row.seconds else "" for row in line.rows]
    return {
        "report": report,
        "facts": facts,
        "fit": fit,
        "lacking": without_fit(report),
        "findings": in_order(report.findings),
        "memory": memory_bar(fit) if fit and fit.sized else None,
        "chart": steps_chart(report.steps, report.gpus_per_pod, facts.budget, times)
        if report.steps
        else None,
        "waits": [waits(step) for step in report.steps],
        "line": line,
        "causes": [causes(row) for row in line.rows],
        "times": times,
        "time_said": list(said(line)) if report.steps else [],
        "queries": asked(report.release.objects),
    }


def asked(objects: Sequence[Object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(kind and name, its (place, PromQL) pairs) of every object that asks Prometheus; variables become an ellipsis."""
    found: dict[str, list[tuple[str, str]]] = {}
    for query in queries(objects):
        alert = query.owner.get(query.pointer.rpartition("/")[0] + "/alert")
        place = query.place or query.record or alert or query.pointer
        shown = query.expr.replace(PLACEHOLDER, "…")
        found.setdefault(f"{query.owner.kind} {query.owner.name}", []).append((place, shown))
    return list(found.items())


def ticked(text: str) -> Markup:
    """A sentence with what stands in backticks as code."""
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


def environment() -> Environment:
    """The templates of pages, with the filters they use."""
    made = Environment(
        loader=PackageLoader("llmops.report"),
        # Names of objects and messages come from anybody's manifests.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(plural=plural, subject=subject, duration=duration, as_yaml=as_yaml, ticked=ticked)
    made.filters["rule_label"] = label
    made.globals.update(basis=basis, overheads=OVERHEADS, span=span, hours_per_month=HOURS_PER_MONTH)
    made.globals.update(why=why, places=places)
    return made


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as a block, as people do."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)
