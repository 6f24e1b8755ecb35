"""A part of `make test-attack` with every run of the tests, by seeds that do not change."""

import pytest

from tests.attack import programs
from tests.attack.__main__ import CASES, batches, told

pytestmark = pytest.mark.real

SEED = "1"


@pytest.mark.parametrize("family", CASES)
def test_spoilt_inputs_end_in_a_verdict_or_a_sentence(family: str) -> None:
    found, faults = told(family, batches(family, SEED, 60))
    assert faults == []
    assert found["cases"] == 60
    assert len(found["statuses"]) > 1


@pytest.mark.parametrize("client", programs.CLIENTS, ids=lambda one: one.name)
def test_what_asks_survives_servers_by_chance(client: programs.Client) -> None:
    rows = [row for number, row in enumerate(client.run(SEED, 40)) if number >= 32]
    assert [row["fault"] for row in rows if row["fault"]] == []
