"""A part of `make test-attack` with every run of the tests, by seeds that do not change."""

import pytest

from tests.attack import clients, handed, handed_scripts, listeners, programs
from tests.attack.__main__ import CASES, OWN, batches, told

pytestmark = pytest.mark.real

SEED = "1"


@pytest.mark.parametrize("family", CASES)
def test_spoilt_inputs_end_in_a_verdict_or_a_sentence(family: str) -> None:
    found, faults = told(family, batches(family, SEED, 60))
    assert faults == []
    assert found["cases"] == 60
    assert len(found["statuses"]) > 1


@pytest.mark.parametrize("client", clients.CLIENTS, ids=lambda one: one.name)
def test_what_asks_survives_servers_by_chance(client: programs.Client) -> None:
    """The ways that are known are those of test_clients.py."""
    assert [row["fault"] for row in client.run(SEED, 8, {}) if row["fault"]] == []


def test_files_that_attack_end_in_a_verdict_without_what_was_planted() -> None:
    found, faults = told("own", handed.run(OWN))
    assert faults == []
    assert found["cases"] == 28


@pytest.mark.parametrize("service", listeners.SERVICES, ids=lambda one: one.name)
def test_what_listens_survives_clients_by_chance(service: programs.Service) -> None:
    """Its memory stays below the limit of its chart, and kills lose nothing that it had said."""
    found, faults = told(service.name, service.run(SEED, 100, 2), service.limit)
    assert faults == []
    assert found["cases"] == 104


def test_a_script_is_called_as_its_first_line_says() -> None:
    assert handed_scripts.ways('"""usage: hold.py HOST PORT [drip|still]"""') == [
        ["127.0.0.1", "{port}"],
        ["127.0.0.1", "{port}", "drip"],
        ["127.0.0.1", "{port}", "still"],
    ]
    forge = '"""usage: forge.py GATE what"""\nif what == "memory": pass\n'
    assert handed_scripts.ways(forge) == [["{gate}", "memory", "{pid}", "480"]]
    assert handed_scripts.ways('"""says nothing of itself"""') == []
