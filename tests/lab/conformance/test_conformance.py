"""The scripted engine against the record of the real one: each exchange, and what no single request shows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.conformance.endings import ENDINGS
from lab.conformance.exchanges import EXCHANGES, KEY, MODEL
from lab.conformance.run import exchange
from tests.lab.conftest import Engine, Start

RECORD = json.loads((Path(__file__).parent / "0.33.0.json").read_text(encoding="utf-8"))
FLAGS = (f"--served-model-name={MODEL}", "--max-model-len=2048", "--max-num-seqs=8")


@dataclass
class Scripted:
    """The scripted engine as the script's server: what happens to a core is a behaviour of it."""

    engine: Engine

    @property
    def url(self) -> str:
        return self.engine.url

    def terminate(self) -> None:
        self.engine.process.terminate()

    def wait(self, seconds: float) -> int:
        return self.engine.process.wait(seconds)

    def core_stops(self) -> None:
        self.engine.behave(hang=True)

    def core_runs(self) -> None:
        self.engine.behave(hang=False)

    def core_dies(self) -> None:
        self.engine.behave(core_dead=True)


@pytest.fixture
def server(start: Start) -> Callable[..., contextlib.AbstractContextManager[Scripted]]:
    @contextlib.contextmanager
    def starting(*flags: str) -> Iterator[Scripted]:
        # Slow enough that streams last while they are looked at, and its own time to end.
        behaviour = {"ttft": 0.02, "itl": 0.1, "drain_seconds": None}
        yield Scripted(start(*FLAGS, *flags, behaviour=behaviour, VLLM_API_KEY=KEY))

    return starting


def test_the_script_has_eighty_exchanges_and_the_record_has_them_all() -> None:
    assert len(EXCHANGES) >= 80
    assert RECORD["exchanges"].keys() == EXCHANGES.keys()
    assert RECORD["endings"].keys() == ENDINGS.keys()


def test_every_exchange_is_as_the_real_engine_has_it(
    server: Callable[..., contextlib.AbstractContextManager[Scripted]],
) -> None:
    with server() as running:
        found = {name: exchange(running.url, one) for name, one in EXCHANGES.items()}
    assert {name: one for name, one in found.items() if one != RECORD["exchanges"][name]} == {}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_is_as_the_real_engine_has_it(
    server: Callable[..., contextlib.AbstractContextManager[Scripted]], name: str
) -> None:
    assert ENDINGS[name](server) == RECORD["endings"][name]
