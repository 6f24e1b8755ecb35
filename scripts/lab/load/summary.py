"""The account of a load: how many, what became of them, who answered, how fast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .record import OUTCOMES, Record

FIRST_LOSSES = 10


def percentiles(values: Iterable[float]) -> dict[str, float] | None:
    """p50, p95, p99 and the largest by nearest rank; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    ranks = {f"p{share}": ordered[math.ceil(share / 100 * len(ordered)) - 1] for share in (50, 95, 99)}
    return {name: round(value, 4) for name, value in (ranks | {"max": ordered[-1]}).items()}


@dataclass(frozen=True)
class Summary:
    """`lost` is every request without a complete answer: cut, refused and http_error together; sent = ok + lost.

    Times are seconds and of requests that are ok. `late` is how far starts lay behind the schedule, which tells
    whether the generator itself kept up. `losses` are the first of the lost. `began` is the Unix time of the start.
    """

    sent: int
    ok: int
    lost: int
    outcomes: dict[str, int]
    statuses: dict[str, int]
    pods: dict[str, dict[str, int]]
    seconds: float
    tokens: int
    late: dict[str, float] | None
    ttft: dict[str, float] | None
    gap: dict[str, float] | None
    total: dict[str, float] | None
    losses: list[dict[str, Any]]
    began: float = 0.0
    records: Sequence[Record] = field(repr=False, default=())

    def plain(self) -> dict[str, Any]:
        """As JSON takes it, without the records."""
        return {name: value for name, value in vars(self).items() if name != "records"}


def by_pod(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    pods: dict[str, dict[str, int]] = {}
    for record in records:
        count = pods.setdefault(record.pod or "unknown", {"sent": 0, "ok": 0, "lost": 0})
        count["sent"] += 1
        count["ok" if record.outcome == "ok" else "lost"] += 1
    return dict(sorted(pods.items()))


def summarise(records: Sequence[Record], seconds: float, began: float = 0.0) -> Summary:
    fine = [record for record in records if record.outcome == "ok"]
    lost = [record for record in records if record.outcome != "ok"]
    outcomes = Counter(record.outcome for record in records)
    return Summary(
        sent=len(records),
        ok=len(fine),
        lost=len(lost),
        outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
        statuses=dict(sorted(Counter(str(record.status or "none") for record in records).items())),
        pods=by_pod(records),
        seconds=round(seconds, 3),
        tokens=sum(record.tokens for record in records),
        late=percentiles(record.start - record.due for record in records),
        ttft=percentiles(record.ttft for record in fine if record.ttft is not None),
        gap=percentiles(gap for record in fine for gap in record.gaps),
        total=percentiles(record.total for record in fine),
        losses=[
            {
                "index": record.index,
                "start": round(record.start, 3),
                "outcome": record.outcome,
                "status": record.status,
                "pod": record.pod,
                "total": round(record.total, 3),
                "tokens": record.tokens,
                "detail": record.detail,
            }
            for record in lost[:FIRST_LOSSES]
        ],
        began=round(began, 3),
        records=records,
    )
