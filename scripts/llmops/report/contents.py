"""What a report is made of: one release with everything that was found out about it, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmops.canary.steps import Step, peak
from llmops.capacity.fit import Fit, missing
from llmops.findings import Finding, Severity

if TYPE_CHECKING:
    from llmops.release import Release

# Hours of a month, as clouds bill them.
HOURS_PER_MONTH = 730

# What the sizes of a Fit that no GPU's memory decides come from.
OVERHEADS = "fitted to published runs of vLLM 0.11 to 0.19"


@dataclass(frozen=True)
class Waived:
    """A finding that a waiver covers, and why; `expires` is a date (YYYY-MM-DD), `source` FILE:LINE."""

    finding: Finding
    reason: str
    expires: str = ""
    source: str = ""


@dataclass(frozen=True)
class Key:
    """A key of the values, with dots; `source` is FILE:LINE of the file that sets it, empty for a chart's default."""

    name: str
    source: str = ""


@dataclass(frozen=True)
class Origin:
    """What wrote the place of a finding: FILE:LINE of the template (FILE where no line is known), and values."""

    template: str = ""
    keys: tuple[Key, ...] = ()


UNKNOWN = Origin()


@dataclass(frozen=True)
class ReleaseReport:
    """One release: its findings, the memory fit (None: unknown) and the rollout's steps (empty: none).

    `requests_per_second` is the model's traffic as the reader states it; None: unknown. `origins` has what is
    known of the origin of findings, by finding.
    """

    release: Release
    findings: tuple[Finding, ...] = ()
    waived: tuple[Waived, ...] = ()
    fit: Fit | None = None
    steps: tuple[Step, ...] = ()
    gpus_per_pod: int = 0
    requests_per_second: float | None = None
    origins: Mapping[Finding, Origin] = field(default_factory=dict)
    unreadable: str = ""
    """Why nothing is known of this release, in one sentence; empty where it was judged."""

    def origin(self, finding: Finding) -> Origin:
        """What is known of the origin of a finding."""
        return self.origins.get(finding, UNKNOWN)


@dataclass(frozen=True)
class Summary:
    """The figures that every format shows. GPUs are counts; `gpu_hours` is (least, most) a month."""

    title: str
    model_source: str
    revision: str
    quantization: str
    environment: str
    namespace: str
    chart: str
    kube_version: str
    product: str
    budget: int | None
    replicas: tuple[int, int]
    autoscaled: bool
    steady: tuple[int, int]
    peak: int
    gpu_hours: tuple[int, int]
    errors: int
    warnings: int
    verdict: str
    ready: bool
    kinds: tuple[tuple[str, int], ...]

    @property
    def over_budget(self) -> bool:
        """Whether some step holds more GPUs than the values allow."""
        return self.budget is not None and self.peak > self.budget


def summary(report: ReleaseReport) -> Summary:
    """Reads a release's values (missing ones become empty) and puts the verdict into words."""
    release = report.release
    llm = release.view.llm
    autoscaled = bool(llm.get("components.autoscaling"))
    steady = report.steps[0].gpus if report.steps else 0
    pods = report.steps[0].stable if report.steps else 0
    # The plan is made at an autoscaler's maximum; its minimum is the other end of the bill.
    fewest = llm.get("replicas.min")
    least = min(fewest, pods) if autoscaled and isinstance(fewest, int) else pods
    low = least * report.gpus_per_pod + (report.steps[0].beside if report.steps else 0)
    budget = llm.get("gpu.budget")
    errors, warnings = counts(report.findings)
    most = peak(report.steps)
    accepted = {waived.finding.rule for waived in report.waived}
    over = isinstance(budget, int) and most > budget and "rollout/over-budget" not in accepted
    misfit = report.fit is not None and report.fit.covered and not report.fit.fits
    blockers = ["it cannot be read"] if report.unreadable else []
    blockers += [plural(errors, "error")] if errors else []
    blockers += ["does not fit the GPU"] if misfit and "model/does-not-fit" not in accepted else []
    blockers += ["the update never ends"] if any(step.endless for step in report.steps) else []
    blockers += [f"peak of {most} GPUs is over the budget of {budget}"] if over else []
    noted = [plural(warnings, "warning")] if warnings else []
    noted += [f"{plural(len(report.waived), 'finding')} waived"] if report.waived else []
    notes = f", with {' and '.join(noted)}" if noted else ""
    return Summary(
        title=release.name or "manifests",
        model_source=str(llm.get("model.source") or ""),
        revision=str(llm.get("model.revision") or ""),
        quantization=str(llm.get("model.quantization") or ""),
        environment=(release.inputs.environment if release.inputs else "") or llm.text("environment.name"),
        namespace=release.namespace,
        chart=release.inputs.chart.name if release.inputs else "",
        kube_version=release.kube_version,
        product=str(llm.get("gpu.product") or ""),
        budget=budget if isinstance(budget, int) else None,
        replicas=(least, pods),
        autoscaled=autoscaled,
        steady=(low, steady),
        peak=most,
        gpu_hours=(low * HOURS_PER_MONTH, steady * HOURS_PER_MONTH),
        errors=errors,
        warnings=warnings,
        verdict=f"Not ready: {', '.join(blockers)}" if blockers else f"Ready{notes}",
        ready=not blockers,
        kinds=tuple(sorted(Counter(obj.kind for obj in release.objects).items())),
    )


def basis(fit: Fit) -> str:
    """What the figures of a fit rest on, in half a sentence."""
    return f"estimated; this GPU's memory was {'measured' if fit.gpu_measured else 'derived'}"


def without_fit(report: ReleaseReport) -> tuple[str, ...]:
    """What a release with values lacks for a verdict on its memory; nothing for plain manifests."""
    judged = report.release
    return missing(judged) if judged.values and judged.objects and not report.fit else ()


def counts(findings: Iterable[Finding]) -> tuple[int, int]:
    """(errors, warnings)"""
    severities = Counter(finding.severity for finding in findings)
    return severities[Severity.ERROR], severities[Severity.WARNING]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by rule and object, so that two runs print the same."""
    return sorted(
        findings, key=lambda f: (-f.severity, f.rule, f.kind, f.namespace, f.name, f.path, f.message)
    )


def subject(finding: Finding) -> str:
    """Kind/namespace/name of the object; without a namespace Kind/name, empty for the values."""
    return "/".join(part for part in (finding.kind, finding.namespace, finding.name) if part)


def gates(steps: Iterable[Step]) -> list[tuple[str, str]]:
    """(step, what has to happen before the next one) for every step that waits for something."""
    return [(step.label, waits(step)) for step in steps if waits(step)]


def waits(step: Step) -> str:
    """What a step waits for, in words; empty for nothing."""
    what = [*step.gates]
    if step.pause is None:
        what.append("a person promotes")
    elif step.pause:
        what.append(f"{duration(step.pause)} pass")
    return ", ".join(what)


def duration(seconds: float) -> str:
    """Seconds for a person: 90 is `1 min 30 s`."""
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`"""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def span(low: int, high: int) -> str:
    """`4`, or `2 to 4` where an autoscaler decides; thousands are grouped."""
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"
