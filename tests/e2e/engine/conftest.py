"""The real engine on loopback, and what each scenario came to, written to out/e2e/real-engine.json."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.vllm.build import Built, build
from lab.vllm.start import Server, serving
from tests.jobs.conftest import start_prometheus

__all__ = ["start_prometheus"]

OUT = Path(__file__).parents[3] / "out/e2e/real-engine.json"
Scenario = Callable[..., None]


@pytest.fixture(scope="session")
def built() -> Built:
    return build()


@pytest.fixture(scope="session")
def engine(built: Built) -> Iterator[Server]:
    """One that answers, for everything that leaves it as it was."""
    with serving(built, "--enable-auto-tool-choice", "--tool-call-parser=hermes") as server:
        yield server


@pytest.fixture(scope="session")
def scenarios() -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    yield rows
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


@pytest.fixture
def scenario(request: pytest.FixtureRequest, scenarios: list[dict[str, Any]]) -> Scenario:
    """Notes what was expected and what came, with requests sent and lost; and holds the one against the other.

    Without a name of its own a scenario has that of its test; `seconds` are those since the one before.
    """
    last = [time.monotonic()]

    def note(expected: str, outcome: str, sent: int, lost: int, name: str = "") -> None:
        name = name or request.node.name.removeprefix("test_").replace("_", " ")
        row = {"name": name, "expected": expected, "outcome": outcome, "sent": sent, "lost": lost}
        last.append(time.monotonic())
        scenarios.append({**row, "seconds": round(last[-1] - last[-2], 1)})
        assert outcome == expected

    return note
