"""GPUs of an update, held against what the release may take."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.canary.workload import gpu_budget, gpu_plan
from llmops.checks.registry import ERROR, rule, values_defect
from llmops.findings import Finding
from llmops.release import Release


@rule(
    "LR101",
    severity=ERROR,
    fix="Write a larger budget, fewer replicas, or a strategy that holds fewer GPUs at once.",
)
def over_budget(release: Release) -> Iterator[Finding]:
    """A rollout that needs more GPUs than the release may take stands still with pods that stay Pending.

    Counted is the rendered Rollout or Deployment, step by step as its controller moves it; what pods that
    are slow to end hold for longer is not in it.
    """
    steps, _ = gpu_plan(release)
    budget = gpu_budget(release)
    if budget is None or not steps:
        return
    worst = max(steps, key=lambda step: step.gpus)
    if worst.gpus > budget:
        message = (
            f"global.llm.gpu.budget is {budget}, but the rollout holds {worst.gpus} GPUs at its peak "
            f"(step {worst.label})."
        )
        yield values_defect(release, "/global/llm/gpu/budget", message)
