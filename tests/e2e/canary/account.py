"""What became of each request, held against what the cluster did meanwhile. Pure: records and times in, numbers out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GATEWAY_ERRORS = (502, 503, 504)


@dataclass(frozen=True)
class Request:
    """Times are Unix seconds. `whole` is a complete stream of as many tokens as were asked for."""

    start: float
    end: float
    pod: str
    status: int
    whole: bool
    detail: str


def requests(lines: Path, tokens: int) -> list[Request]:
    """The account of `lab.load`: its lines, and the time of its start in the summary beside them."""
    began = json.loads(lines.with_suffix(".summary.json").read_text(encoding="utf-8"))["began"]
    found = []
    for line in lines.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        start = began + record["start"]
        whole = record["outcome"] == "ok" and record["tokens"] >= tokens
        detail = record["detail"] or ("" if whole else f"{record['tokens']} of {tokens} tokens")
        found.append(Request(start, start + record["total"], record["pod"], record["status"], whole, detail))
    return found


@dataclass(frozen=True)
class Fault:
    """What a bad version may spoil: its pods, from the fault on until the rollout was stopped."""

    pods: frozenset[str] = frozenset()
    begin: float = float("inf")
    end: float = float("-inf")

    def spoiled(self, request: Request) -> bool:
        """Whether the bad version itself spoiled it: sent to it before the abort and not over before the fault.

        An answer of the gateway alone names no pod. The other version answers, so it can only be the bad one's share.
        """
        its_own = request.pod in self.pods or (not request.pod and request.status in (0, *GATEWAY_ERRORS))
        return its_own and request.start <= self.end and request.end >= self.begin


def account(found: Sequence[Request], fault: Fault, deaths: Mapping[str, float]) -> dict[str, Any]:
    """`sent`, `lost` and `blast`, which no client would see again and the bad version's; streams open at each death."""
    broken = [each for each in found if not each.whole]
    blast = [each for each in broken if fault.spoiled(each)]
    lost = [each for each in broken if not fault.spoiled(each)]
    return {
        "sent": len(found),
        "lost": len(lost),
        "blast": len(blast),
        "open_streams_at_kill": {pod: streams(found, pod, at) for pod, at in sorted(deaths.items())},
        "losses": [f"{each.pod or 'no pod'}: {each.status} {each.detail}" for each in lost[:5]],
    }


def streams(found: Iterable[Request], pod: str, at: float) -> int:
    """Requests that a pod was answering at a time."""
    return sum(each.pod == pod and each.start <= at < each.end for each in found)
