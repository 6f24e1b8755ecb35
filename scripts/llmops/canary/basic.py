"""How many pods each ReplicaSet gets where replicas are the weight: basic canary and rolling update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Pass(NamedTuple):
    """What one pass leaves: pods of both, pods held meanwhile, pods that serve meanwhile, pods added and removed."""

    canary: int
    stable: int
    held: int
    serving: int
    added: int
    removed: int


def desired(replicas: int, weight: int, surge: int) -> tuple[int, int]:
    """(canary, stable) pods closest to `weight` percent, of `replicas` pods or with surge of one more.

    With two pods or more, surge counted, a weight of 1 to 99 leaves neither side without a pod.
    """
    if replicas == 0:
        return 0, 0
    floor, ceiling = replicas * weight // 100, -(-replicas * weight // 100)
    may_be_empty = weight in (0, 100) or (replicas == 1 and surge == 0)

    def candidates() -> Iterator[tuple[int, int]]:
        for total in (replicas, replicas + 1) if surge else (replicas,):
            if total > replicas or ceiling < replicas or may_be_empty:
                yield ceiling, total
            # Halfway between two counts the larger canary wins.
            halfway = total * weight % 100 == 50
            if not halfway and (floor or may_be_empty):
                yield floor, total

    # `min` keeps the first of equals: fewer pods in all before more.
    canary, total = min(
        candidates(),
        key=lambda option: abs(option[0] * 100 / option[1] - weight),
        default=(0, replicas),
    )
    return canary, total - canary


def walk(
    canary: int, stable: int, target: tuple[int, int], replicas: int, surge: int, unavailable: int
) -> Iterator[Pass]:
    """Passes of the controller from (canary, stable) to `wanted`.

    A pass adds pods within replicas + surge and removes them within replicas - unavailable. What it removes
    still holds its GPUs while what it adds is loading, so both are counted; by the next pass the new pods are
    ready and the old ones are gone.
    """
    most, fewest = replicas + surge, replicas - unavailable
    while (canary, stable) != target:
        room = max(0, most - canary - stable)
        more_stable = min(room, max(0, target[1] - stable))
        more_canary = min(room - more_stable, max(0, target[0] - canary))
        spare = max(0, canary + stable - fewest)
        # While the canary grows only stable pods go, and the other way round.
        growing = target[0] >= canary
        less_stable = min(spare, max(0, stable - target[1])) if growing else 0
        less_canary = 0 if growing else min(spare, canary - target[0])
        added, removed = more_canary + more_stable, less_canary + less_stable
        if not (added or removed):
            return
        held, serving = canary + stable + added, canary + stable - removed
        canary, stable = canary + more_canary - less_canary, stable + more_stable - less_stable
        yield Pass(canary, stable, held, serving, added, removed)
