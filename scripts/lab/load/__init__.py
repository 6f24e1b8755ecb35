"""An open-loop load of streaming completions, and an exact account of what became of each request.

Open loop: requests start on a schedule that was fixed before, whatever the answers do. Users do not wait for each
other either, and a generator that does (a closed loop, as in locust and most others) slows down together with the
server it measures and so hides the very stalls that a rollout may cause. guidellm has open schedules, but brings a
tokenizer and a data-set stack, and neither accounts for a stream that stops without its end. This needs only asyncio.

Bounds: 100,000 requests, one hour, 10,000 requests in flight; targets in loopback or 198.18.0.0/15 only.
"""

from .arrivals import Load, LoadError
from .record import Record
from .run import drive, run
from .summary import Summary

__all__ = ["Load", "LoadError", "Record", "Summary", "drive", "run"]
