"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.cluster.layout import ClusterError

T = TypeVar("T")


def until(
    condition: Callable[[], T | None], what: str, seconds: float, every: float = 0.1, hint: str = ""
) -> T:
    """The first truthy answer of `condition`. ClusterError when there is none within `seconds`.

    `what` completes "… did not happen within N s"; `hint` says where to look.
    """
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{what} did not happen within {seconds:.0f} s{'; ' if hint else ''}{hint}"
            ) from None
        time.sleep(every)
