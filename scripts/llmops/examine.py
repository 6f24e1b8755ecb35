"""One release through the whole line: values, objects, graph, findings, report."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from llmops import checks, release
from llmops.canary.workload import gpu_plan
from llmops.capacity import fit
from llmops.checks.collected import refusals
from llmops.checks.reading.values_schema import check_schemas
from llmops.checks.refusals import refusal, values_findings
from llmops.findings import InputError, RefusedError
from llmops.release import Inputs, Release
from llmops.render import Renderer
from llmops.render.archive import held
from llmops.render.manifest import Object, ValuesFile, read_values
from llmops.render.sdk import merge_values
from llmops.report.contents import ReleaseReport, Waived

REFUSED = "values/refused"


def releases(
    inputs: Sequence[Inputs],
    renderer: Renderer,
    versions: Sequence[str],
    disable: Iterable[str] = (),
    *,
    brief: bool = False,
) -> list[ReleaseReport]:
    """Renders and judges each release for each Kubernetes version.

    Findings about waivers, and about releases side by side, come with the last release. `brief`: of a release
    without a finding only names are kept, so that memory does not grow with the tree. A release that cannot be read
    has a report that says so; InputError where that is all there is to say, and for an unknown rule.
    """
    disable = tuple(checks.find(rule).id for rule in disable)
    reports: list[ReleaseReport] = []
    outcomes: list[checks.Outcome] = []
    unreadable: list[InputError] = []

    def judged() -> Iterator[checks.Outcome]:
        for number, one in enumerate(inputs, 1):
            try:
                outcome = _outcome(one, renderer, versions, disable)
            except InputError as error:
                unreadable.append(error)
                reports.append(ReleaseReport(_empty(one), unreadable=str(error)))
                continue
            yield outcome
            summary = report(outcome)
            if brief and not summary.findings and number < len(inputs):
                names = _names(outcome.release)
                outcome, summary = replace(outcome, release=names), replace(summary, release=names)
            outcomes.append(outcome)
            reports.append(summary)

    with held(), _seldom_collected():
        side_by_side = checks.review_tree(judged())
    if unreadable and not outcomes and len({str(one) for one in unreadable}) == 1:
        raise unreadable[0]
    about_all = (*checks.review_waivers(outcomes), *side_by_side)
    if about_all and reports:
        reports[-1] = replace(reports[-1], findings=(*reports[-1].findings, *about_all))
    return reports


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """A release leaves hardly a cycle behind, and to look for one after every 700 objects takes 7 % of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _names(release: Release) -> Release:
    """A release with nothing left but what it and its objects are called."""
    objects = [
        Object({"apiVersion": obj.api_version, "kind": obj.kind, "metadata": {"name": obj.name}}, obj.source)
        for obj in release.objects
    ]
    return Release(
        name=release.name,
        namespace=release.namespace,
        kube_version=release.kube_version,
        objects=objects,
        inputs=release.inputs,
    )


def manifests(
    text: str, source: str, versions: Sequence[str], disable: Iterable[str] = ()
) -> list[ReleaseReport]:
    """Judges anybody's manifests for each Kubernetes version."""
    disable = tuple(disable)
    outcomes = {
        version: checks.run(release.from_manifests(text, source, version), disable) for version in versions
    }
    return [report(checks.across_versions(outcomes))]


def report(outcome: checks.Outcome) -> ReleaseReport:
    """An outcome with its memory fit and its GPU plan, for a reader."""
    judged = outcome.release
    steps, gpus = gpu_plan(judged)
    return ReleaseReport(
        release=judged,
        findings=tuple(outcome.findings),
        waived=tuple(
            Waived(one.finding, one.waiver.reason, one.waiver.expires.isoformat(), one.waiver.source)
            for one in outcome.waived
        ),
        fit=_fit(judged),
        steps=steps,
        gpus_per_pod=gpus,
    )


def _fit(judged: Release) -> fit.Fit | None:
    try:
        return fit.from_release(judged)
    except InputError:
        # The check reports it; a report goes without a memory bar.
        return None


def _said(path: str, files: Sequence[ValuesFile]) -> bool:
    return any(file.has(path.removeprefix("values")) for file in files)


def _empty(inputs: Inputs) -> Release:
    """A release of which nothing is rendered."""
    target = inputs.target
    return Release(target.name, target.namespace, target.kube_version, objects=[], inputs=inputs)


def _outcome(
    inputs: Inputs, renderer: Renderer, versions: Sequence[str], disable: tuple[str, ...]
) -> checks.Outcome:
    outcomes = {version: _judged(inputs, renderer, version, disable) for version in versions}
    return checks.across_versions(outcomes)


def _judged(inputs: Inputs, renderer: Renderer, version: str, disable: tuple[str, ...]) -> checks.Outcome:
    versioned = replace(inputs, target=replace(inputs.target, kube_version=version))
    try:
        check_schemas(versioned.chart)
        outcome = checks.run(release.render(versioned, renderer, notes=True), disable)
    except RefusedError as error:
        return _refused(versioned, error, renderer)
    if refused := [finding for finding in outcome.findings if finding.rule == REFUSED]:
        # Helm would render nothing of it, so what else there is to say has no subject.
        return checks.Outcome(outcome.release, refused, [])
    return outcome


def _refused(inputs: Inputs, error: RefusedError, renderer: Renderer) -> checks.Outcome:
    """Nothing was rendered: the findings are what the schemas and all templates of the chart say of the values."""
    files = tuple(read_values(path) for path in inputs.values)
    layers = [file.data for file in files]
    try:
        values = merge_values(release.archive(inputs.chart, schemas=False), layers)
        findings = values_findings(inputs, values, files)
    except RefusedError:
        # A value stands where the chart has a mapping. Judge the files alone, and of that only what they say.
        values = release.merge(layers)
        findings = [one for one in values_findings(inputs, values, files) if _said(one.path, files)]
    more = refusals(inputs, renderer, files, findings)
    findings = [*findings, *more] or [refusal(error, inputs, files)]
    empty = replace(_empty(inputs), values=values, values_files=files)
    return checks.Outcome(empty, sorted(findings, key=checks.order), [])
