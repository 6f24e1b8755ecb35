"""Ports for programs of tests: two that a test asks for before either listens are never the same."""

from tests.waiting import PORTS_OF_A_WORKER, free_port


def test_a_port_is_not_given_twice_before_its_program_listens() -> None:
    ports = [free_port() for _ in range(PORTS_OF_A_WORKER // 2)]
    assert len(set(ports)) == len(ports)
