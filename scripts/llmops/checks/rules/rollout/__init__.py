"""Theme `rollout`: what happens while a new version takes over."""

from llmops.checks.rules.rollout import (
    budget,
    conditions,
    language,
    limits,
    loading,
    order,
    steps,
    timing,
    verdicts,
)

__all__ = ["budget", "conditions", "language", "limits", "loading", "order", "steps", "timing", "verdicts"]
