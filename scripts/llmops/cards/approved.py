"""The cards that servers of an environment may name: what the policy approved-cards is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops.cards import card, tree
from llmops.cards.judge import Judge


@dataclass(frozen=True)
class Entry:
    """One digest of the list, with the version that it is of and why it is there."""

    digest: str
    model: str
    version: str
    why: str


def entries(judge: Judge, models: Sequence[Path], env: str) -> list[Entry]:
    """Every version that passes the gate of the environment, and whatever runs there, whether it passes still or not.

    A digest that left the list while its servers run would be in the way of a rollback. InputError for a card that
    cannot be read.
    """
    found: dict[str, Entry] = {}
    for model in models:
        if env not in tree.environments(model):
            continue
        name = model.absolute().name
        running = tree.running(model, env)
        if running.card_digest:
            found[running.card_digest] = Entry(running.card_digest, name, running.version, "runs")
        for version in card.versions(model):
            verdict = judge.of_version(model, env, version)
            if verdict.passed:
                found.setdefault(verdict.digest, Entry(verdict.digest, name, version, "may run"))
    return sorted(found.values(), key=lambda one: (one.model, card.precedence(one.version)))


def as_values(found: Sequence[Entry]) -> str:
    """Values of llm-platform, for its -f."""
    lines = [f"    - {one.digest}  # {one.model} {one.version}: {one.why}" for one in found]
    return "\n".join(["llm-policies:", "  approvedCards:" if lines else "  approvedCards: []", *lines])
