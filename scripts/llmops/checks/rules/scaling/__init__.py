"""Theme `scaling`: will the autoscaler move, in the right direction, and alone?"""

from llmops.checks.rules.scaling import canaries, complete, keda, owners, queries, targets

__all__ = ["canaries", "complete", "keda", "owners", "queries", "targets"]
