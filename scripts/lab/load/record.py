"""What is known of one request."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

# ok          the complete answer arrived: [DONE], no error event, and no finish_reason of abort or error
# cut         the connection or the stream ended too early, carried an error or an abort, or the time was over
# refused     no connection: the request never reached a server
# http_error  a status other than 200
OUTCOMES = ("ok", "cut", "refused", "http_error")


@dataclass
class Record:
    """Times are seconds: `due` and `start` since the start of the load, the others since `start`.

    `gaps` lie between events that carry text, `tokens` counts those events. `pod` is the header X-Pod.
    """

    index: int
    due: float
    start: float
    outcome: str = "cut"
    detail: str = ""
    status: int = 0
    pod: str = ""
    ttft: float | None = None
    total: float = 0.0
    tokens: int = 0
    gaps: list[float] = field(default_factory=list)
    finish_reason: str = ""

    def plain(self) -> dict[str, Any]:
        """Rounded to tenths of a millisecond."""
        values = asdict(self)
        values["gaps"] = [round(gap, 4) for gap in self.gaps]
        for key in ("due", "start", "ttft", "total"):
            values[key] = None if values[key] is None else round(values[key], 4)
        return values
