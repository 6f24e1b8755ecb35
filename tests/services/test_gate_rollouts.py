"""When the gate looks, what it says, and which rollout it speaks of: a real Prometheus, and a clock of our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmops.gates.evidence import Evidence, Look, Policy, Signal
from llmops.gates.judge import judge
from llmops.jobs import JobError
from llmops.services.gate.page import page
from llmops.services.gate.question import Question, Release, Result
from llmops.services.gate.series import Source
from llmops.services.gate.service import ConflictError, Gate
from llmops.services.gate.state import MOST_LOOKS, MOST_ROLLOUTS, Memory
from tests.jobs.history import Series
from tests.services.gate_history import CANARY, STABLE, WINDOW, Pod, blocks, steady, write

pytestmark = pytest.mark.real

T0 = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
SCRAPES = 121  # half an hour
USUAL = steady(STABLE, SCRAPES, 40, 30, 20)
HISTORY: dict[str, list[Pod]] = {
    "good": [steady(CANARY, SCRAPES, 4, 3, 2), USUAL],
    "slow": [steady(CANARY, SCRAPES, 1, 3, 5), USUAL],
    "broken": [steady(CANARY, SCRAPES, 4, 3, 2, failed=4), USUAL],
    # One server that two jobs of Prometheus scrape.
    "twice": [*(replace(steady(CANARY, SCRAPES, 4, 3, 2), labels={"job": job}) for job in ("a", "b")), USUAL],
    "few": [steady(CANARY, SCRAPES, 0.5, 0, 0), USUAL],
}
GATES = ("ttft", "errors", "stream_errors", "stall", "restarts")
POLICY = Policy(gates=GATES, looks=(4, 4), window_seconds=WINDOW)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, start_prometheus: Callable[..., str]) -> Source:
    series = Series()
    for release, pods in HISTORY.items():
        write(series, release, T0, pods)
    return Source(start_prometheus(blocks(series, tmp_path_factory.mktemp("rollouts"))))


@dataclass
class Clock:
    """A gate, and the time that it believes to be. `ask` asks about a step."""

    gate: Gate
    now: float = T0

    def __call__(self) -> float:
        return self.now

    def ask(self, release: str, at: float, step: int = 0, **fields: Any) -> dict[str, Any]:
        """At so many windows after T0; a second late, as controllers are."""
        self.now = T0 + at * WINDOW + 1
        whole = Question(Release("llm", release), CANARY, STABLE, step, "compare", POLICY)
        return self.gate.verdict(replace(whole, **fields))

    def walk(self, release: str, first: int, last: int, step: int = 0, **fields: Any) -> list[str]:
        return [self.ask(release, at, step, **fields)["outcome"] for at in range(first, last + 1)]

    def evidence(self, release: str) -> list[dict[str, Any]]:
        return list(self.gate.evidence(Release("llm", release))["rollouts"])


def clocked(source: Source, folder: Path | None = None) -> Clock:
    clock = Clock(Gate(source, Memory(folder), lambda: clock.now))
    return clock


@pytest.fixture
def clock(source: Source) -> Clock:
    return clocked(source)


def test_a_good_canary_passes_each_step_after_its_looks(clock: Clock) -> None:
    assert clock.walk("good", 0, 4) == ["wait"] * 4 + ["pass"]
    # The next step begins between two windows, and has looks of its own.
    assert clock.walk("good", 5, 9, step=1) == ["wait"] * 4 + ["pass"]
    (rollout,) = clock.evidence("good")
    assert (rollout["canary"], rollout["stable"]) == (CANARY, STABLE)
    assert rollout["started"] == "2026-03-01T00:00:01Z"
    assert [(one["step"], one["look"]) for one in rollout["looks"]] == [
        (step, look) for step in (0, 1) for look in (1, 2, 3, 4)
    ]
    # Requests of both steps: 18 in each window, eight windows... and the one between the steps.
    assert rollout["looks"][-1]["gates"]["ttft"]["canary"] == 9 * 18


@pytest.mark.parametrize(("release", "gate"), [("slow", "ttft"), ("broken", "errors")])
def test_a_bad_canary_fails_by_the_gate_that_shows_it(clock: Clock, release: str, gate: str) -> None:
    outcomes = clock.walk(release, 0, 4)
    assert outcomes[-1] == "fail"
    assert "pass" not in outcomes
    shown = clock.evidence(release)[-1]["looks"][-1]["gates"]
    assert [name for name, one in shown.items() if one["outcome"] == "fail"] == [gate]
    assert shown[gate]["statistic"] > shown[gate]["bound"]


def test_too_few_requests_and_no_data_wait_for_ever(clock: Clock) -> None:
    assert set(clock.walk("few", 0, 20)) == {"wait"}
    assert clock.evidence("few")[-1]["looks"][-1]["gates"]["ttft"]["canary"] == 20
    assert set(clock.walk("unknown", 0, 20)) == {"wait"}
    # Enough in the end: one request a window, fifty windows.
    assert "pass" in clock.walk("few", 21, 55)


def test_it_says_what_the_functions_say_about_counts_written_by_hand(clock: Clock) -> None:
    clock.walk("slow", 0, 1)
    clock.walk("good", 0, 3)
    for release, counts, windows in (("slow", [2, 6, 10], 1), ("good", [8, 6, 4], 3)):
        ttft = Signal(np.array([counts] * windows), np.array([[80, 60, 40]] * windows), (0.5, 1.0, np.inf))
        # (all, bad)
        answers = Signal(np.array([[18, 0]] * windows), np.array([[180, 0]] * windows))
        evidence = Evidence({"ttft": ttft, "errors": answers, "stream_errors": answers})
        reference = judge(POLICY, evidence, Look(0, windows))
        shown = clock.evidence(release)[-1]["looks"][-1]["gates"]
        assert set(shown) == set(GATES)
        for gate in ("ttft", "errors", "stream_errors"):
            expected = reference.gates[gate]
            assert shown[gate]["statistic"] == pytest.approx(expected.statistic, abs=1e-6), gate
            assert shown[gate]["bound"] == (
                None if expected.bound is None else pytest.approx(expected.bound, abs=1e-6)
            )
            assert shown[gate]["outcome"] == expected.outcome


def test_all_who_ask_within_a_window_see_one_look(clock: Clock) -> None:
    clock.walk("good", 0, 1)
    first = clock.ask("good", 2)
    again = [clock.ask("good", 2 + part) for part in (0.1, 0.5, 0.9)]
    assert again == [first] * 3
    assert len(clock.evidence("good")[-1]["looks"]) == 2


def test_before_the_first_window_every_gate_waits(clock: Clock) -> None:
    answer = clock.ask("good", 0)
    assert (answer["outcome"], answer["step"], answer["look"]) == ("wait", 0, 0)
    assert {one["outcome"] for one in answer["gates"].values()} == {"wait"}
    assert set(answer["gates"]) == set(GATES)


def test_a_verdict_stands_for_late_gates_and_a_retry_begins_anew(clock: Clock) -> None:
    outcomes = clock.walk("broken", 0, 4)
    ended = outcomes.index("fail")
    assert clock.ask("broken", ended + 1)["outcome"] == "fail"
    assert len(clock.evidence("broken")[-1]["looks"]) == ended
    retried = clock.ask("broken", ended + 10)
    assert (retried["outcome"], retried["look"]) == ("wait", 0)
    assert [len(one["looks"]) for one in clock.evidence("broken")] == [ended, 0]


@pytest.mark.parametrize(
    ("fields", "rollouts"),
    [
        ({"step": 1}, 1),
        ({"step": 0}, 2),
        ({"step": 1, "canary": "bbbb"}, 2),
        ({"step": 1, "stable": "bbbb"}, 2),
    ],
)
def test_another_version_or_an_earlier_step_is_another_rollout(
    clock: Clock, fields: dict[str, Any], rollouts: int
) -> None:
    clock.walk("good", 0, 4)
    clock.walk("good", 5, 6, step=1)
    # However long a person has thought.
    clock.ask("good", 7, **fields)
    assert len(clock.evidence("good")) == rollouts


def test_in_a_dry_run_the_next_step_goes_on_after_a_failure(clock: Clock) -> None:
    assert clock.walk("broken", 0, 4)[-1] == "fail"
    clock.walk("broken", 20, 21, step=1)
    (rollout,) = clock.evidence("broken")
    assert (rollout["looks"][-1]["step"], rollout["looks"][-1]["look"]) == (1, 1)


def test_a_long_silence_within_a_step_is_a_new_attempt_and_between_steps_is_not(clock: Clock) -> None:
    clock.walk("good", 0, 2)
    clock.ask("good", 40)
    assert len(clock.evidence("good")) == 2
    clock.walk("good", 41, 44)
    clock.ask("good", 44 + 2880, step=1)
    assert len(clock.evidence("good")) == 2


def test_a_step_against_limits_judges_its_own_windows(clock: Clock) -> None:
    policy = replace(POLICY, modes=("compare", "absolute"), slo={"ttftP95Seconds": 1, "errorRatio": 0.01})
    clock.walk("good", 0, 4, policy=policy)
    clock.walk("good", 5, 7, step=1, mode="absolute", policy=policy)
    shown = clock.evidence("good")[-1]["looks"][-1]
    assert (shown["look"], shown["mode"], shown["gates"]["ttft"]["canary"]) == (2, "absolute", 2 * 18)


def test_a_restarted_gate_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    before = clocked(source, tmp_path)
    before.walk("good", 0, 3)
    shown = before.evidence("good")
    (tmp_path / "llm_half.json").write_text('{"namespace": "llm", ')
    after = clocked(source, tmp_path)
    assert after.evidence("good") == shown
    assert after.ask("good", 3.5) == before.ask("good", 3.5)
    assert after.ask("good", 4)["outcome"] == "pass"
    assert not list(tmp_path.glob("*.new"))


def test_what_is_kept_has_bounds(source: Source, tmp_path: Path) -> None:
    clock = clocked(source, tmp_path)
    clock.walk("unknown", 0, MOST_LOOKS + 5)
    assert len(clock.evidence("unknown")[-1]["looks"]) == MOST_LOOKS
    for number in range(MOST_ROLLOUTS + 3):
        clock.ask("unknown", 200, canary=f"{number}")
    assert len(clock.evidence("unknown")) == MOST_ROLLOUTS
    small = Clock(Gate(source, Memory(tmp_path / "small", most=2), lambda: small.now))
    (tmp_path / "small").mkdir()
    small.ask("one", 0)
    small.ask("two", 1)
    # Nobody who is in the middle of a rollout is forgotten for another one.
    with pytest.raises(JobError, match="2 releases are being judged"):
        small.ask("three", 2)
    small.ask("two", 121)
    small.ask("three", 121)
    assert sorted(path.stem for path in (tmp_path / "small").glob("*.json")) == ["llm_three", "llm_two"]


def test_a_server_that_two_jobs_scrape_is_counted_once(clock: Clock) -> None:
    once, twice = (clock.ask(name, 0) and clock.ask(name, 2)["gates"] for name in ("good", "twice"))
    assert (once["ttft"]["canary"], once["errors"]["canary"]) == (36, 36)
    assert (twice["ttft"]["canary"], twice["errors"]["canary"]) == (36, 36)


def test_what_a_job_of_another_version_posts_starts_nothing_anew(clock: Clock) -> None:
    clock.walk("good", 0, 2)
    for number in range(MOST_ROLLOUTS + 3):
        document = {"checks": [{"name": "models", "ok": True}]}
        clock.gate.post(Result(Release("llm", "good"), f"old{number}", "smoke", document, {}))
    assert clock.ask("good", 3)["look"] == 3
    assert CANARY in [one["canary"] for one in clock.evidence("good")]


def test_a_result_that_nothing_follows_from_is_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match=r"document\.items"):
        clock.gate.post(Result(Release("llm", "good"), CANARY, "quality", {"items": "many"}, {}))


def test_a_question_does_not_wait_long_for_another_one(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmops.services.gate.state._PATIENCE", 0.1)
    with (
        clock.gate.memory.lock(Release("llm", "good")),
        pytest.raises(JobError, match="still being answered"),
    ):
        clock.ask("good", 0)


def test_a_failed_look_is_no_look(source: Source) -> None:
    clock = clocked(Source("http://127.0.0.1:9"))
    clock.ask("good", 0)
    with pytest.raises(JobError, match="cannot be reached"):
        clock.ask("good", 1)
    # Asked again at once it does not try, and says the same; later it does.
    with pytest.raises(JobError, match="cannot be reached"):
        clock.ask("good", 1.05)
    assert clock.evidence("good")[-1]["looks"] == []
    clock.gate._source = source
    assert clock.ask("good", 2)["look"] == 1


# --- results of jobs --------------------------------------------------------------------------------------


def result(kind: Any = "smoke", **document: Any) -> Result:
    return Result(Release("llm", "good"), CANARY, kind, document, {})


FINE = {"checks": [{"name": "models", "ok": True, "ms": 3, "problem": ""}, {"name": "stream", "ok": True}]}
BAD = {"checks": [*FINE["checks"][:1], {"name": "stream", "ok": False, "problem": "no [DONE] at the end"}]}


def test_a_smoke_result_is_passed_on(clock: Clock) -> None:
    assert clock.gate.result(result())["outcome"] == "wait"
    clock.gate.post(result(**FINE))
    assert clock.gate.result(result()) == {"outcome": "pass", "reason": "all 2 checks are fine"}
    clock.gate.post(result(**BAD))
    assert clock.gate.result(result()) == {"outcome": "fail", "reason": "stream: no [DONE] at the end"}
    other = replace(result(), canary="bbbb")
    assert clock.gate.result(other)["outcome"] == "wait"


def test_a_result_is_kept_with_its_rollout_and_answers_one_attempt(clock: Clock) -> None:
    clock.gate.post(result(**BAD))
    assert clock.gate.result(result())["outcome"] == "fail"
    clock.ask("good", 0)
    (rollout,) = clock.evidence("good")
    assert rollout["results"]["smoke"]["document"] == BAD
    assert rollout["started"] is not None
    # The Job of a second try has not run yet: the first one's result says nothing about it.
    clock.now += 600
    assert clock.gate.result(result())["outcome"] == "wait"
    clock.gate.post(result(**FINE))
    assert clock.gate.result(result())["outcome"] == "pass"


def test_a_result_that_is_too_old_is_of_an_earlier_attempt(clock: Clock) -> None:
    clock.gate.post(result(**FINE))
    clock.now += 61
    assert clock.gate.result(replace(result(), policy={"maxAgeSeconds": 60}))["outcome"] == "wait"
    # Nobody asks for a quarter of an hour: the policy of whoever asks then.
    clock.now += 901
    assert clock.gate.result(replace(result(), policy={"maxAgeSeconds": 970}))["outcome"] == "pass"


def test_a_quality_result_is_judged_by_the_policy_of_the_question(clock: Clock) -> None:
    """Of 400 items 30 got worse and 10 better: five points are lost, and chance does so once in a thousand times."""
    counts = {"items": 400, "both": 300, "worse": 30, "better": 10, "neither": 60}
    clock.gate.post(result("quality", **counts, stableUnanswered=0, canaryUnanswered=0))
    verdict = clock.gate.result(replace(result("quality"), policy={"margin": 0.03, "minItems": 200}))
    assert verdict["outcome"] == "fail"
    assert "30 of 400 items got worse and 10 better" in verdict["reason"]
    with pytest.raises(ConflictError, match="the policy of its first question"):
        clock.gate.result(replace(result("quality"), policy={"margin": 0.5, "minItems": 200}))


# --- metrics ----------------------------------------------------------------------------------------------


def test_metrics_tell_the_last_look(clock: Clock) -> None:
    clock.walk("good", 0, 4)
    clock.walk("broken", 0, 3)
    text = page(clock.gate.memory, clock.now)
    own = f'namespace="llm",release="good",rollouts_pod_template_hash="{CANARY}"'
    stable = f'namespace="llm",release="good",rollouts_pod_template_hash="{STABLE}"'
    for line in (
        f'llm_gate_requests{{{own},arm="canary"}} 72',
        f'llm_gate_requests{{{stable},arm="stable"}} 720',
        f"llm_gate_required_requests{{{own}}} 50",
        f'llm_gate_outcome{{{own},gate="ttft"}} 1',
        f'llm_gate_outcome{{{own.replace("good", "broken")},gate="errors"}} -1',
        f"llm_gate_last_look_timestamp_seconds{{{own}}} {T0 + 4 * WINDOW + 1}",
    ):
        assert line in text.splitlines(), line
    # Two weeks later nobody is alarmed by it.
    later = page(clock.gate.memory, clock.now + 15 * 86400).splitlines()
    assert {line[0] for line in later} == {"#"}


def test_looks_are_lines_on_stdout(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    clock.walk("good", 0, 2)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["release"], one["step"], one["look"], one["outcome"]) for one in lines] == [
        ("good", 0, 1, "wait"),
        ("good", 0, 2, "wait"),
    ]
    assert {"at", "namespace", "canary", "stable", "reason", "gates"} <= lines[0].keys()
    assert lines[0]["gates"]["ttft"]["canary"] == 18
