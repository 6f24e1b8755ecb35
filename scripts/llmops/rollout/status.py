"""What is said of a rollout, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmops.rollout.facts import Facts
from llmops.rollout.kubectl import Advice

# Only the first three need nobody: they are exit status 0.
State = Literal["healthy", "progressing", "paused", "held", "aborted", "degraded", "unmeasured"]
FINE: tuple[State, ...] = ("healthy", "progressing", "paused")


@dataclass(frozen=True)
class Status:
    """What is said of a rollout: its state, why (sentences), what to do, and a finding's rule (or none)."""

    facts: Facts
    state: State
    why: tuple[str, ...]
    advice: tuple[Advice, ...] = ()
    finding: str = ""

    @property
    def exit_status(self) -> int:
        """0 while nobody is needed beyond what the steps plan, else 1."""
        return 0 if self.state in FINE else 1
