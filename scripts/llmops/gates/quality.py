"""Does the canary answer a golden set as well as stable? Paired: only items on which the two differ say anything.

Two error rates are kept at `alpha` each: that an equal canary fails (McNemar's test), and that one that loses
`margin` or more passes (the confidence interval of the difference excludes such a loss). All between is inconclusive:
a person decides, or a larger set does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

# Of the policy, with the defaults of the chart. Shares of items, 0 to 1; alpha is one-sided.
LIMITS: dict[str, tuple[float, float, float]] = {
    "margin": (0.03, 0.001, 0.5),
    "alpha": (0.05, 0.0001, 0.2),
    "minItems": (200, 20, 100_000),
    # Stable is the measure: where it does not answer, or hardly ever rightly, there is nothing to compare with.
    "maxUnanswered": (0.02, 0, 0.5),
    "minStableScore": (0.3, 0, 1),
}
_EXACT_UP_TO = 1000  # discordant pairs; from there on the normal distribution is within 1e-3 of the binomial
_POWER = 0.8


def mcnemar(worse: int, better: int) -> float:
    """One-sided p-value that the canary is no worse: how often a fair coin gives so many `worse` of the discordant.

    Mid-p, that is, half the probability of the very outcome: exact, but not as timid as the exact test with few pairs.
    """
    pairs = worse + better
    if pairs > _EXACT_UP_TO:
        return NormalDist().cdf((better - worse) / math.sqrt(pairs))
    terms = [math.comb(pairs, count) for count in range(worse, pairs + 1)]
    return float((sum(terms) - terms[0] / 2) / 2**pairs)


def score(items: int, worse: int, better: int, loss: float) -> float:
    """Standard deviations by which the observed loss is above `loss`, a share of items (score test of Tango, 1998).

    At 0 it is McNemar's. It keeps its error rate where differences are few and all point one way; Wald's does not.
    """
    linear = (2 * items + better - worse) * loss - worse - better
    root = math.sqrt(max(0.0, linear**2 + 8 * items * better * loss * (1 - loss)))
    won = (root - linear) / (4 * items)  # most likely share of better items, if the loss were `loss`
    return (worse - better - items * loss) / math.sqrt(max(1e-12, items * (2 * won + loss * (1 - loss))))


def difference(items: int, worse: int, better: int, alpha: float) -> tuple[float, float, float]:
    """Canary's share of right answers minus stable's, with one-sided bounds of 1 - alpha below and above."""
    reach = NormalDist().inv_cdf(1 - alpha)
    most = _where(lambda loss: score(items, worse, better, loss) < -reach)
    least = -_where(lambda gain: score(items, better, worse, gain) < -reach)
    return (better - worse) / items, -most, -least


def _where(beyond: Callable[[float], bool]) -> float:
    """The loss from -1 to 1 from which on `beyond` is true, to 1e-9."""
    low, high = -1.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return high


def items_needed(worse: float, better: float, alpha: float = 0.05, power: float = _POWER) -> int:
    """Items at which a canary with these shares of worse and better ones fails with that probability (Connor 1987)."""
    discordant, loss = worse + better, worse - better
    normal = NormalDist()
    spread = normal.inv_cdf(1 - alpha) * math.sqrt(discordant)
    spread += normal.inv_cdf(power) * math.sqrt(discordant - loss**2)
    return math.ceil((spread / loss) ** 2)


def items_to_pass(discordant: float, margin: float, alpha: float = 0.05, power: float = _POWER) -> int:
    """Items at which a canary that is as good as stable passes with that probability."""
    normal = NormalDist()
    reach = (normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)) * math.sqrt(discordant)
    return math.ceil((reach / margin) ** 2)


def read_policy(given: Mapping[str, Any]) -> dict[str, float]:
    """The policy with its defaults; other keys belong to somebody else. ValueError with one sentence."""
    policy = {}
    for key, (default, low, high) in LIMITS.items():
        value = given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"policy.{key} must be a number from {low:g} to {high:g}")
        policy[key] = value
    return policy


def judge_quality(document: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """pass, fail or inconclusive, and why; never wait. `document` is what the quality Job posts (docs/quality.md).

    ValueError with one sentence if the policy, or a document without `problem`, cannot be read.
    """
    limits = read_policy(policy)
    if document.get("problem"):
        return _said("inconclusive", f"the quality job could not measure: {str(document['problem'])[:500]}")
    count = _counts(document)
    items, worse, better = count["items"], count["worse"], count["better"]
    asked = items + count["stableUnanswered"]
    if count["stableUnanswered"] > limits["maxUnanswered"] * asked:
        silent = f"stable did not answer {count['stableUnanswered']} of {asked} items"
        return _said("inconclusive", f"{silent}, so there is nothing to compare with", count)
    if items < limits["minItems"]:
        return _said(
            "inconclusive", f"{items} items were compared, the policy wants {limits['minItems']:g}", count
        )
    right = (count["both"] + worse) / items
    if right < limits["minStableScore"]:
        reason = f"stable itself has only {right:.0%} right: the set or its scoring does not fit this model"
        return _said("inconclusive", reason, count)
    change, low, high = difference(items, worse, better, limits["alpha"])
    chance = mcnemar(worse, better)
    figures = {**count, "difference": change, "lower": low, "upper": high, "pValue": chance}
    found = f"{worse} of {items} items got worse and {better} better ({100 * change:+.1f} points"
    found += f", {100 * low:+.1f} to {100 * high:+.1f})"
    margin = f"{100 * limits['margin']:g} points"
    if low > -limits["margin"]:
        return _said("pass", f"{found}: a loss of {margin} is excluded", figures)
    if chance <= limits["alpha"] and -change > limits["margin"]:
        return _said("fail", f"{found}: that is no chance (p = {chance:.2g}) and more than {margin}", figures)
    needed = items_to_pass((worse + better) / items, limits["margin"], limits["alpha"])
    reason = f"{found}: neither a loss of {margin} is excluded nor one shown"
    if needed > items:
        reason += f"; about {needed} items would show that such a canary is as good"
    return _said("inconclusive", reason, figures)


def _counts(document: Mapping[str, Any]) -> dict[str, int]:
    counts = {}
    for key in ("items", "both", "worse", "better", "neither", "stableUnanswered", "canaryUnanswered"):
        value = document.get(key)
        if type(value) is not int or not 0 <= value <= 1_000_000:
            raise ValueError(f"document.{key} must be a whole number of items")
        counts[key] = value
    if counts["items"] != sum(counts[key] for key in ("both", "worse", "better", "neither")):
        raise ValueError("document.items must be the sum of both, worse, better and neither")
    return counts


def _said(outcome: str, reason: str, figures: Mapping[str, float] | None = None) -> dict[str, Any]:
    return {"outcome": outcome, "reason": reason, **(figures or {})}
