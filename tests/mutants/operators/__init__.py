"""Ordinary mistakes by class. Written from what hurts users, not from the list of rules."""

from tests.mutants.operators import delivery, pods, traps, values, watching, wiring
from tests.mutants.plant import Row

OBJECTS: dict[str, tuple[Row, ...]] = {
    **pods.TABLE,
    **wiring.TABLE,
    **delivery.TABLE,
    **watching.TABLE,
    **traps.TABLE,
}
VALUES = values.TABLE
