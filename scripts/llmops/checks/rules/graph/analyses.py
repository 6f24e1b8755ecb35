"""Analyses: are their templates there, and do both sides speak of the same arguments?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import CLUSTER_TEMPLATE, RUN, TEMPLATE, Run, arguments_named, runs
from llmops.checks.reading.missing_names import names_of, why_own
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.suggestions import neighbours
from llmops.kubernetes.wording import closest
from llmops.references import mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object


@rule("LG104", severity=ERROR, fix="Render the template in {namespace}, or name one that is there.")
def analysis_template_missing(release: Release) -> Iterator[Finding]:
    """A Rollout whose analysis template is not there is InvalidSpec and moves no more.

    Judged is a release that renders templates of its own; of cluster-wide ones those with a name that is nearly right.
    """
    objects = graph(release)
    for run in runs(objects):
        for use in run.uses:
            namespace = "" if use.kind == CLUSTER_TEMPLATE else objects.namespace_of(run.owner)
            others = names_of(objects, use.kind, namespace) if use.kind == TEMPLATE else []
            if use.template is None and (others or why_own(release, objects, use.kind, namespace, use.name)):
                hint = closest(use.name, neighbours(use.name, others))
                message = f"the {use.kind[1]} {use.name} is not in this release{hint}."
                yield defect(run.owner, use.pointer, message)


@rule("LG105", severity=ERROR, fix="Give the argument a value in args, or a default in the template.")
def analysis_argument_missing(release: Release) -> Iterator[Finding]:
    """An argument that the template declares without a value, and that nobody gives, ends the analysis in an error."""
    for run in runs(graph(release)):
        if not _whole(run):
            continue
        given = {text(arg.get("name")) for arg in run.args if _has_value(arg)}
        declared: dict[str, Object] = {}
        for template in run.templates:
            for arg in _declared(template):
                declared.setdefault(text(arg.get("name")), template)
                given |= {text(arg.get("name"))} if _has_value(arg) else set()
        for name in sorted(declared.keys() - given - {""}):
            template = declared[name]
            message = f"the {template.kind} {template.name} needs the argument {name}, which nobody gives."
            yield defect(run.owner, run.pointer, message)


@rule("LG106", severity=WARNING, fix="Declare the argument in spec.args of the template, or do not give it.")
def analysis_argument_unknown(release: Release) -> Iterator[Finding]:
    """An argument that no template declares is dropped in silence, a misspelt one too."""
    for run in runs(graph(release)):
        known = {text(arg.get("name")) for template in run.templates for arg in _declared(template)}
        names = ", ".join(template.name for template in run.templates)
        for index, arg in enumerate(run.args):
            name = text(arg.get("name"))
            if _whole(run) and name and name not in known:
                message = (
                    f"no template of this analysis ({names}) has an argument {name}{closest(name, known)}."
                )
                yield defect(run.owner, f"{run.pointer}/args/{index}/name", message)


@rule("LG107", severity=ERROR, fix="Declare the argument in spec.args of the template.")
def analysis_argument_undeclared(release: Release) -> Iterator[Finding]:
    """A metric that asks for an argument which its template does not declare cannot be resolved and is an error.

    Templates of one analysis share their arguments.
    """
    objects = graph(release)
    shared: dict[int, set[str]] = {}
    for run in runs(objects):
        names = {text(arg.get("name")) for one in run.templates for arg in _declared(one)}
        for template in run.templates:
            shared.setdefault(id(template), set()).update(names)
    for template in objects.of_kind(TEMPLATE, CLUSTER_TEMPLATE, RUN):
        known = {text(arg.get("name")) for arg in _declared(template)} | shared.get(id(template), set())
        for pointer, metric in walk(template.data, "/spec/metrics/*"):
            # Most metrics ask for nothing, and to look into each text of them costs more than to write it all down.
            for below, name in dict.fromkeys(arguments_named(metric) if "{{" in repr(metric) else ()):
                if name not in known:
                    message = f"spec.args declares no argument {name}{closest(name, known)}."
                    yield defect(template, f"{pointer}{below}", message)


def _whole(run: Run) -> bool:
    return bool(run.uses) and all(use.template for use in run.uses)


def _declared(template: Object) -> list[dict[str, object]]:
    return [mapping(arg) for arg in sequence(template.get("/spec/args"))]


def _has_value(arg: dict[str, object]) -> bool:
    return arg.get("value") is not None or bool(arg.get("valueFrom"))
