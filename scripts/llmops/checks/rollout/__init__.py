"""Theme `rollout`: what happens while a new version takes over."""

from llmops.checks.rollout import budget, conditions, limits, steps, timing, verdicts

__all__ = ["budget", "conditions", "limits", "steps", "timing", "verdicts"]
