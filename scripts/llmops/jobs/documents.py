"""The two documents of the drift job, as JSON: the reference that traffic is held against, and the result of a run."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.drift_scores import Settings, Verdict, outcome, overall
from llmops.jobs.texts import TEXTS, Profile
from llmops.jobs.times import moment, rfc3339
from llmops.jobs.traffic import LENGTHS, Release, Traffic

VERSION = 1
RESULT = "llm-drift-result"
REFERENCE = "llm-drift-reference"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def reference_document(release: Release, traffic: Traffic) -> dict[str, Any]:
    """A window as a document that may be kept in Git: counts by bucket and by reason, nothing else."""
    return {
        "schemaVersion": VERSION,
        "kind": REFERENCE,
        **_who(release),
        **_window(traffic),
        "lengths": {
            signal: [[_bound(le), round(count, 3)] for le, count in sorted(traffic.lengths[signal].items())]
            for signal in LENGTHS
        },
        "finishedReasons": {reason: round(count, 3) for reason, count in sorted(traffic.reasons.items())},
        "hours": {str(hour): round(count, 3) for hour, count in sorted(traffic.hours.items())},
        "prefixHits": _rounded(traffic.prefix_hits),
        **({"texts": _texts(traffic.texts)} if traffic.texts else {}),
        "bursts": {signal: round(worth, 3) for signal, worth in sorted(traffic.bursts.items())},
    }


def read_reference(path: Path, release: Release) -> Traffic:
    """The window of a reference document. JobError unless it is one, of the same model."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["kind"] != REFERENCE or document["schemaVersion"] != VERSION:
            raise KeyError
        model = document["model"]
        traffic = Traffic(
            start=moment(document["start"]),
            end=moment(document["end"]),
            coverage=number(document["coverage"]),
            lengths={signal: _cumulative(document["lengths"][signal]) for signal in LENGTHS},
            reasons={str(key): number(value) for key, value in document["finishedReasons"].items()},
            # References of before have none of these three.
            hours={int(key): number(value) for key, value in document.get("hours", {}).items()},
            prefix_hits=None if document.get("prefixHits") is None else number(document["prefixHits"]),
            texts={
                signal: {
                    str(key): number(value)
                    for key, value in document.get("texts", {}).get(signal, {}).items()
                }
                for signal in TEXTS
            },
            data=_digest(document.get("data", "")),
            bursts={str(key): max(1.0, number(value)) for key, value in document.get("bursts", {}).items()},
        )
        if traffic.end <= traffic.start:
            raise ValueError
    except OSError as error:
        raise JobError(f"the reference {path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError, AttributeError, JobError):
        raise JobError(
            f"{path} is no reference of version {VERSION}: write one with --write-reference"
        ) from None
    if model != release.model:
        raise JobError(
            f"the reference {path} is of model {model}, not {release.model}: write one with --write-reference"
        )
    return traffic


def _texts(profile: Profile) -> dict[str, dict[str, float]]:
    return {
        signal: {key: round(count, 3) for key, count in found.items()} for signal, found in profile.items()
    }


def _digest(value: object) -> str:
    if not isinstance(value, str) or (value and not DIGEST.fullmatch(value)):
        raise ValueError("data must be sha256: and 64 hex digits")
    return value


def _cumulative(rows: list[list[Any]]) -> dict[float, float]:
    counts = {float(le): number(count) for le, count in sorted(rows, key=lambda row: float(row[0]))}
    rising = list(counts.values()) == sorted(counts.values())
    if counts and not (rising and math.inf in counts):
        raise ValueError("counts are cumulative and end with +Inf")
    return counts


def result_document(
    release: Release,
    windows: tuple[Traffic, Traffic],
    recorded: bool,
    settings: Settings,
    verdicts: Sequence[Verdict],
    finished: float,
) -> dict[str, Any]:
    """What a run found. `windows` are the current one and the reference, which is `recorded` if it was a document."""
    current, reference = windows
    return {
        "schemaVersion": VERSION,
        "kind": RESULT,
        **_who(release),
        "finished": rfc3339(finished),
        "outcome": outcome(verdicts),
        "score": _rounded(overall(verdicts)),
        "threshold": settings.threshold,
        "window": _window(current),
        "reference": {
            "source": "training" if reference.data else "document" if recorded else "window",
            **({"data": reference.data} if reference.data else {}),
            **_window(reference),
        },
        "floors": {
            "minSamples": settings.min_samples,
            "minBinShare": settings.min_bin_share,
            "minCoverage": settings.min_coverage,
        },
        "signals": [_signal(verdict) for verdict in verdicts],
    }


def _who(release: Release) -> dict[str, str]:
    return {"namespace": release.namespace, "release": release.name, "model": release.model}


def _window(traffic: Traffic) -> dict[str, Any]:
    return {
        "start": rfc3339(traffic.start),
        "end": rfc3339(traffic.end),
        "coverage": round(traffic.coverage, 4),
    }


def _signal(verdict: Verdict) -> dict[str, Any]:
    return {
        "signal": verdict.signal,
        "outcome": verdict.outcome,
        "score": _rounded(verdict.score),
        **({"reason": verdict.reason} if verdict.reason else {}),
        "samples": round(verdict.samples),
        "current": round(verdict.current),
        "reference": round(verdict.reference),
        **(
            {
                "bins": verdict.bins,
                "jensenShannonBits": _rounded(verdict.divergence),
                "byChanceBits": _rounded(verdict.by_chance),
                "populationStabilityIndex": _rounded(verdict.psi),
                "kolmogorovSmirnov": _rounded(verdict.distance),
                "requestsWorthOne": _rounded(verdict.bursts),
                "pValues": {name: _rounded(p) for name, p in verdict.tests.items()},
                "pValueAdjusted": _rounded(verdict.p_value),
            }
            if verdict.bins is not None
            else {
                "pValues": {name: _rounded(p) for name, p in verdict.tests.items()},
                "pValueAdjusted": _rounded(verdict.p_value),
            }
            if verdict.tests
            else {}
        ),
    }


def _bound(le: float) -> str:
    return "+Inf" if math.isinf(le) else str(int(le)) if le.is_integer() else repr(le)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def number(value: object) -> float:
    """A finite number that is not negative. ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{value!r} is no number of 0 or more")
    return float(value)
