"""What a promotion costs, for its commit message: the rendered difference and the GPUs of its rollout, in Markdown."""

from __future__ import annotations

from pathlib import Path

from llmops import release
from llmops.canary.surge import peak
from llmops.canary.workload import gpu_plan
from llmops.diff import show
from llmops.diff.compare import compare
from llmops.diff.sides import revision
from llmops.findings import RefusedError
from llmops.render import Renderer


def describe(
    base: str, head: str, model: Path, env: str, chart: Path, version: str, renderer: Renderer
) -> str:
    """Two commits of one release compared. RefusedError where the new one does not render or cannot be rolled out."""
    old, new = (
        revision(role, name, model, chart, env, version, renderer)
        for role, name in (("BASE", base), ("HEAD", head))
    )
    compared = compare(old, new)
    if show.is_impossible(compared):
        why = next(one.why for each in compared for one in each.changes if one.cost is each.cost)
        raise RefusedError(f"{model.absolute().name} {env} cannot be updated so: {why}; see `llmops diff`")
    text = show.as_markdown(compared, (base[:12], "this commit"))
    return text + "\n" + "\n".join(_plan(one) for one in new.releases.values())


def _plan(one: release.Release) -> str:
    steps, gpus = gpu_plan(one)
    if not steps:
        return "GPU plan: no GPUs are asked for."
    lines = [f"GPU plan: {gpus} a server, {peak(steps)} at the peak."]
    lines += [f"- {step.label}: {step.gpus}" for step in steps]
    return "\n".join(lines)
