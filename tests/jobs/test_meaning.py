"""Two samples of texts are told apart where they mean other things, and not where they are other words for the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from llmops.jobs import JobError
from llmops.jobs.drift_scores import Settings
from llmops.jobs.drift_scores import judge as judge_all
from llmops.jobs.meaning import encoder, judge, separation
from llmops.jobs.texts import Exchange
from llmops.jobs.traffic import Traffic
from tests.jobs.conftest import Run

WEATHER, MONEY = "rain sun wind snow cloud storm", "bank loan price tax bill fee"
SETTINGS = Settings(min_samples=200)


def bag(texts: Sequence[str]) -> NDArray[np.float32]:
    """An encoder that knows the words above, and nothing else."""
    known = f"{WEATHER} {MONEY}".split()
    return np.array([[text.split().count(word) for word in known] for text in texts], np.float32)


def sample(weather: float, seed: int, size: int = 300) -> list[Exchange]:
    chance = random.Random(seed)  # noqa: S311
    topics = [WEATHER.split() if chance.random() < weather else MONEY.split() for _ in range(size)]
    return [Exchange(" ".join(chance.choices(topic, k=4))) for topic in topics]


def test_another_topic_is_a_drift_and_the_same_one_is_none() -> None:
    other = judge(sample(0.9, 1), sample(0.3, 2), bag, SETTINGS)
    assert (other.outcome, other.tests["permutation"]) == ("drift", 1 / 5000)
    same = judge(sample(0.5, 3), sample(0.5, 4), bag, SETTINGS)
    assert same.outcome == "none"
    assert same.tests["permutation"] > 0.01
    few = judge(sample(0.9, 1, 100), sample(0.3, 2), bag, SETTINGS)
    assert (few.outcome, few.reason) == (
        "inconclusive",
        "100 texts against 300, and both must be 200 or more",
    )


def test_p_values_of_equal_samples_are_even() -> None:
    chance = np.random.default_rng(1)
    found = sorted(separation(*chance.normal(size=(2, 40, 8)).astype(np.float32))[1] for _ in range(40))
    # The largest distance from even shares that forty even values have in 99 of 100 cases (Kolmogorov).
    assert max(abs(p - (place + 0.5) / 40) for place, p in enumerate(found)) < 0.26


def test_it_is_adjusted_with_the_other_tests_of_a_run() -> None:
    other = judge(sample(0.9, 1), sample(0.3, 2), bag, SETTINGS)
    day = Traffic(0, 86400, 1.0, {}, {"stop": 6000.0})
    settings = Settings(signals=("finished_reason", "meaning"), min_samples=200)
    verdicts = judge_all(day, day, settings, {"meaning": other})
    assert [one.outcome for one in verdicts] == ["none", "drift"]
    assert verdicts[1].p_value == pytest.approx(3 / 5000)


def test_without_an_encoder_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(JobError, match=r"needs an encoder: pip install -r requirements/embedding\.txt"):
        encoder()


@pytest.mark.real
def test_without_two_samples_there_is_one_sentence(drift: Callable[..., Run]) -> None:
    run = drift("same", "--signals=meaning")
    assert (run.status, run.said) == (
        2, "the signal meaning is judged from two samples: write --sample and --reference-sample\n",
    )  # fmt: skip
