"""The scripted engine plays any engine that has a table and a metric catalogue."""

from __future__ import annotations

from pathlib import Path

from tests.lab.conftest import Start

CATALOGUE = Path(__file__).parents[2] / "engines/toy/data/metrics/toy.yaml"


def test_the_scripted_engine_plays_it(start: Start) -> None:
    engine = start(ENGINE_CATALOGUE=str(CATALOGUE))
    assert engine.ask("/ready").status == 200
    assert engine.ask("/metrics").status == 404
    assert engine.chat().status == 200
    text = engine.ask("/stats").body
    assert 'toy:finished_total{finished_reason="length",model_name="' in text
    assert "vllm:" not in text
