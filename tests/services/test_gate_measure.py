"""What the canary gate counts, against a real Prometheus. Every expected number is written by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from llmops.gates.evidence import Evidence, Policy
from llmops.jobs import JobError
from llmops.services.gate.measure import measure, requests
from llmops.services.gate.question import Question, Release
from llmops.services.gate.series import MOST_WINDOWS, Source, grid
from tests.jobs.history import Series
from tests.services.gate_history import (
    ANSWERS,
    CANARY,
    CHAT,
    FINISHED,
    LENGTH,
    RUNNING,
    STABLE,
    START,
    STEPS,
    TTFT,
    WAITING,
    WINDOW,
    Pod,
    blocks,
    buckets,
    write,
)

pytestmark = pytest.mark.real

T0 = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
FINE = f'{ANSWERS}{{status="2xx",{CHAT}}}'
BROKEN = f'{ANSWERS}{{status="5xx",{CHAT}}}'
STOP = f'{FINISHED}{{finished_reason="stop",engine="0"}}'
CUT = f'{FINISHED}{{finished_reason="length",engine="0"}}'
ERROR = f'{FINISHED}{{finished_reason="error",engine="0"}}'
OTHER_ENGINE = f'{FINISHED}{{finished_reason="stop",engine="1"}}'
STEP0, STEP1 = f'{STEPS}{{engine="0"}}', f'{STEPS}{{engine="1"}}'
RUN0, WAIT0 = f'{RUNNING}{{engine="0"}}', f'{WAITING}{{engine="0"}}'

# Release -> its pods. Nine scrapes are four windows: 0, 15, 30 ... 120 s.
HISTORY: dict[str, list[Pod]] = {
    # One spells an edge as 1, the other as 1.0, and the newer one knows an edge more.
    "plain": [
        Pod(
            CANARY,
            {
                FINE: [100, 105, 110, 112, 114, 114, 114, 130, 134],
                **buckets(
                    TTFT,
                    [10, 10, 13, 13, 14, 14, 14, 14, 15],
                    [20, 22, 26, 26, 28, 28, 28, 30, 34],
                    [30, 35, 40, 40, 44, 44, 44, 50, 54],
                    edges=["0.5", "1.0", "+Inf"],
                ),
            },
        ),
        Pod(
            STABLE,
            {
                FINE: [1000, 1000, 1090, 1090, 1180, 1180, 1270, 1270, 1360],
                **buckets(
                    TTFT,
                    [500, 500, 540, 540, 580, 580, 620, 620, 660],
                    [550, 550, 595, 595, 640, 640, 685, 685, 730],
                    [700, 700, 790, 790, 880, 880, 970, 970, 1060],
                    edges=["0.5", "0.75", "+Inf"],
                ),
                **buckets(TTFT, [600, 600, 660, 660, 720, 720, 780, 780, 840], edges=["1"]),
            },
        ),
    ],
    # Two engines whose histograms have no bound in common but the last.
    "other-buckets": [
        Pod(CANARY, buckets(TTFT, [1] * 9, [5, 6, 7, 8, 9, 10, 11, 12, 13], edges=["0.4", "+Inf"])),
        Pod(STABLE, buckets(TTFT, [1] * 9, [5, 6, 7, 8, 9, 10, 11, 12, 13], edges=["0.5", "+Inf"])),
    ],
    # The counter of failures is born with the first one, in the third window.
    "late": [Pod(CANARY, {FINE: [5, 6, 7, 8, 9, 10, 11, 12, 13], BROKEN: [None] * 5 + [2, 3, 3, 4]})],
    # A restart in the second window: 20 before, then 4 and 9.
    "reset": [
        Pod(
            CANARY,
            {
                STOP: [10, 15, 20, None, 4, 6, 9, 9, 9],
                # Not seen again before the last window: still of the new process.
                CUT: [3, 3, 4, None, None, None, None, 1, 2],
                STEP0: [100, 150, 200, None, 30, 60, 90, 120, 150],
                START: [1000, 1000, 1000, None, 1050, 1050, 1050, 1050, 1050],
            },
        )
    ],
    # The new process had counted more than the old one when it was first seen.
    "busy-again": [
        Pod(
            CANARY,
            {
                STOP: [1, 1, 2, None, 30, 30, 31, 31, 32],
                START: [1000, 1000, 1000, None, 1050, 1050, 1050, 1050, 1050],
            },
        )
    ],
    "two-engines": [
        Pod(
            CANARY,
            {
                STOP: [10, 11, 12, 13, 14, 15, 16, 17, 18],
                OTHER_ENGINE: [50, 55, 60, 65, 70, 75, 80, 85, 90],
                ERROR: [0, 0, 0, 0, 1, 1, 1, 1, 1],
                STEP0: [1, 2, 3, 4, 5, 6, 7, 8, 9],
                STEP1: [1, 2, 3, 4, 5, 6, 7, 8, 9],
            },
        )
    ],
    # A second pod comes with 40 that it answered before it was seen; the first one goes, and keeps what it did.
    "scaled": [
        Pod(CANARY, {FINE: [10, 15, 20, 25, 30]}, "a"),
        Pod(CANARY, {FINE: [None, None, None, None, 40, 42, 44, 50, 50]}, "b"),
        # Names that begin alike, a release and a namespace that are others'.
        Pod(CANARY + "x", {FINE: [0, 100, 200, 300, 400, 500, 600, 700, 800]}),
        Pod(
            CANARY,
            {FINE: [0, 100, 200, 300, 400, 500, 600, 700, 800]},
            labels={"namespace": "shop"},
        ),
    ],
    "probed": [
        Pod(
            CANARY,
            {
                FINE: [0, 1, 1, 1, 1, 1, 1, 1, 1],
                f'{ANSWERS}{{status="2xx",handler="/v1/models",method="GET"}}': [
                    0,
                    3,
                    6,
                    9,
                    12,
                    15,
                    18,
                    21,
                    24,
                ],
                f'{ANSWERS}{{status="2xx",handler="/health",method="GET"}}': [0, 3, 6, 9, 12, 15, 18, 21, 24],
            },
        )
    ],
    "empty": [
        Pod(
            CANARY,
            buckets(
                LENGTH,
                [4, 4, 5, 5, 5, 5, 9, 9, 9],
                [4, 4, 5, 5, 6, 6, 10, 10, 10],
                [9, 9, 12, 12, 13, 13, 19, 19, 19],
                edges=["1.0", "2.0", "+Inf"],
                more=',engine="0"',
            ),
        )
    ],
    # Prometheus was away for a minute and a half: 30 to 120 s.
    "gap": [Pod(CANARY, {FINE: [0, 5, 10, None, None, None, None, None, 40]})],
    "hung": [
        Pod(
            CANARY,
            {
                STEP0: [10, 20, 30, 40, 40, 40, 40, 40, 40],
                RUN0: [1, 1, 1, 0, 0, 2, 2, 2, 2],
                WAIT0: [0, 0, 0, 0, 0, 0, 1, 2, 3],
            },
        ),
        # Stable hangs as well, and that is not the canary's fault.
        Pod(STABLE, {STEP0: [10] * 9, RUN0: [1] * 9, WAIT0: [1] * 9}),
    ],
    # Idle is not hung; the other engine of the pod is.
    "half-hung": [
        Pod(
            CANARY,
            {
                STEP0: [10] * 9,
                RUN0: [0] * 9,
                WAIT0: [0] * 9,
                STEP1: [10, 20, 30, 40, 50, 60, 60, 60, 60],
                f'{RUNNING}{{engine="1"}}': [1] * 9,
                f'{WAITING}{{engine="1"}}': [0] * 9,
            },
        )
    ],
    # It hangs while it is idle: its own gauges stay 0, and what clients give up on is counted as answered.
    "hung-idle": [
        Pod(
            CANARY,
            {
                STEP0: [10, 20, 20, 20, 20, 20, 20, 20, 20],
                RUN0: [0] * 9,
                WAIT0: [0] * 9,
                FINE: [5, 6, 7, 7, 8, 9, 10, 10, 11],
            },
        )
    ],
    # The same before its first request: the counter is born with it.
    "hung-new": [
        Pod(CANARY, {STEP0: [0] * 9, RUN0: [0] * 9, WAIT0: [0] * 9, FINE: [None] * 4 + [1, 2, 3, 3, 3]})
    ],
    # Idle since its last step: that step's answer, and two that slow clients read to their end.
    "slow-readers": [
        Pod(
            CANARY,
            {
                STEP0: [10, 20, 20, 20, 20, 20, 20, 20, 20],
                RUN0: [0] * 9,
                WAIT0: [0] * 9,
                FINE: [5, 6, 9, 9, 10, 10, 10, 10, 11],
            },
        )
    ],
    # One engine of two does the work.
    "one-idle": [
        Pod(
            CANARY,
            {
                STEP0: [10] * 9,
                STEP1: [10, 20, 30, 40, 50, 60, 70, 80, 90],
                RUN0: [0] * 9,
                WAIT0: [0] * 9,
                FINE: [5, 6, 7, 8, 9, 10, 11, 12, 13],
            },
        )
    ],
    "down": [
        Pod(CANARY, {"up": [1, 1, 1, 0, 0, 0, 0, 0, 0]}, "a"),
        Pod(CANARY, {"up": [1, 1, 1, 1, 0, 0, 0, 0, 0]}, "b"),
        Pod(CANARY, {"up": [0] * 9}, "loading"),
    ],
    "half-down": [
        Pod(CANARY, {"up": [1, 1, 1, 0, 0, 0, 0, 0, 0]}, "a"),
        Pod(CANARY, {"up": [1] * 9}, "b"),
    ],
    "loading": [Pod(CANARY, {"up": [0] * 9})],
    # Prometheus was away; when it came back the target was not scraped yet.
    "unseen": [Pod(CANARY, {"up": [1, 1, 1, None, None, None, None, None, 0]})],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, start_prometheus: Callable[..., str]) -> Source:
    series = Series()
    for release, pods in HISTORY.items():
        write(series, release, T0, pods)
    return Source(start_prometheus(blocks(series, tmp_path_factory.mktemp("canaries"))))


def asked(release: str, window: float = WINDOW, stable: str = STABLE) -> Question:
    policy = Policy(window_seconds=window, stall_seconds=30, down_seconds=30)
    return Question(Release("llm", release), CANARY, stable, 0, "compare", policy)


def look(source: Source, release: str, windows: int = 4, since: int = T0) -> Evidence:
    # A second later, as in life: the last scrape is at hand by then.
    return measure(source, asked(release), since, T0 + windows * WINDOW + 1)


def counts(evidence: Evidence, gate: str, arm: str = "canary") -> list[list[float]]:
    return getattr(evidence.signals[gate], arm).tolist()  # type: ignore[no-any-return]


def test_counts_by_window_and_version(source: Source) -> None:
    evidence = look(source, "plain")
    assert counts(evidence, "errors") == [[10, 0], [4, 0], [0, 0], [20, 0]]
    assert counts(evidence, "errors", "stable") == [[90, 0], [90, 0], [90, 0], [90, 0]]
    # 0.75 is known to one version only and left out; 1 and 1.0 are one edge.
    assert evidence.signals["ttft"].edges == (0.5, 1.0, np.inf)
    assert counts(evidence, "ttft") == [[3, 3, 4], [1, 1, 2], [0, 0, 0], [1, 5, 4]]
    assert counts(evidence, "ttft", "stable") == [[40, 20, 30]] * 4
    assert set(evidence.signals) == {"ttft", "errors"}
    assert (evidence.restarts, evidence.stalled_seconds, evidence.down_seconds) == (0, 0, 0)


def test_nothing_before_the_start_counts_and_no_half_window(source: Source) -> None:
    later = look(source, "plain", since=T0 + 2 * WINDOW)
    assert counts(later, "errors") == [[0, 0], [20, 0]]
    between = measure(source, asked("plain"), T0, T0 + 3 * WINDOW - 1)
    assert counts(between, "errors") == [[10, 0], [4, 0]]


def test_a_counter_of_failures_is_born_with_the_first(source: Source) -> None:
    assert counts(look(source, "late"), "errors") == [[2, 0], [2, 0], [2 + 3, 3], [2 + 1, 1]]


def test_a_restart_loses_no_count_and_is_counted_itself(source: Source) -> None:
    evidence = look(source, "reset")
    # (all, cut off): 10 + 1, then 4 of the new process, 5, and 2 that it cut off.
    assert counts(evidence, "truncated") == [[11, 1], [4, 0], [5, 0], [2, 2]]
    assert evidence.restarts == 1


def test_a_restart_is_seen_by_the_start_of_the_process(source: Source) -> None:
    evidence = look(source, "busy-again")
    assert counts(evidence, "stream_errors") == [[1, 0], [30, 0], [1, 0], [1, 0]]
    assert evidence.restarts == 1


def test_engines_of_one_pod_add_up(source: Source) -> None:
    evidence = look(source, "two-engines")
    assert counts(evidence, "stream_errors") == [[12, 0], [13, 1], [12, 0], [12, 0]]
    assert requests(evidence) == (49, 0)
    assert evidence.restarts == 0


def test_pods_come_and_go(source: Source) -> None:
    assert counts(look(source, "scaled"), "errors") == [[10, 0], [10, 0], [4, 0], [6, 0]]


def test_a_gap_is_no_restart(source: Source) -> None:
    assert counts(look(source, "gap"), "errors") == [[10, 0], [0, 0], [0, 0], [30, 0]]


def test_probes_are_no_requests(source: Source) -> None:
    assert counts(look(source, "probed"), "errors") == [[1, 0], [0, 0], [0, 0], [0, 0]]


def test_empty_answers_have_at_most_one_token(source: Source) -> None:
    assert counts(look(source, "empty"), "empty") == [[3, 1], [1, 0], [6, 4], [0, 0]]


def test_no_data_is_no_signal(source: Source) -> None:
    evidence = look(source, "never-heard-of")
    assert evidence.signals == {}
    assert requests(evidence) == (0, 0)


def test_histograms_without_a_common_bucket_are_no_signal(source: Source) -> None:
    """All requests would be alike, so any version would pass."""
    assert "ttft" not in look(source, "other-buckets").signals


def test_a_canary_without_series_has_zeros_where_stable_has_counts(source: Source) -> None:
    question = Question(Release("llm", "plain"), "0000", STABLE, 0, "compare", Policy(window_seconds=WINDOW))
    evidence = measure(source, question, T0, T0 + 2 * WINDOW + 1)
    assert counts(evidence, "errors") == [[0, 0], [0, 0]]
    assert counts(evidence, "ttft") == [[0, 0, 0, 0]] * 2


def test_without_a_stable_version_there_is_the_canary_alone(source: Source) -> None:
    evidence = measure(source, asked("plain", stable=""), T0, T0 + 2 * WINDOW + 1)
    assert counts(evidence, "errors") == [[10, 0], [4, 0]]
    assert counts(evidence, "errors", "stable") == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("release", "stalled"),
    # Since it has requests, at 75 s; not since its last step, at 45 s.
    # An engine that hung while idle has stalled since the first request ended without it, at 60 s.
    [
        ("hung", 45),
        ("half-hung", 45),
        ("two-engines", 0),
        ("plain", 0),
        ("hung-idle", 60),
        ("hung-new", 60),
        ("slow-readers", 0),
        ("one-idle", 0),
    ],
)
def test_stalled_means_requests_and_no_step(source: Source, release: str, stalled: float) -> None:
    assert look(source, release).stalled_seconds == stalled


@pytest.mark.parametrize(
    # Since no one answers, 60 s; a server that has never answered loads; one failed scrape lasts no time.
    ("release", "seconds"),
    [("down", 60), ("half-down", 0), ("loading", 0), ("unseen", 0), ("plain", 0)],
)
def test_down_means_that_none_answers_that_did(source: Source, release: str, seconds: float) -> None:
    assert look(source, release).down_seconds == seconds


def test_of_many_windows_the_last_ones_count(source: Source) -> None:
    days = grid(T0, WINDOW, T0 + 3 * 86400 + 1)
    assert (days.points, days.step, days.end) == (MOST_WINDOWS + 1, WINDOW, T0 + 3 * 86400)
    # A second each: more points than are asked for at once.
    evidence = measure(source, asked("plain", window=1), T0 - 400, T0 + 4 * WINDOW + 1)
    assert len(counts(evidence, "errors")) == 521
    assert sum(row[0] for row in counts(evidence, "errors")) == 34
    wide = measure(source, asked("plain", window=2 * WINDOW), T0, T0 + 4 * WINDOW + 1)
    assert counts(wide, "errors") == [[14, 0], [20, 0]]


def test_no_prometheus_is_one_sentence() -> None:
    with pytest.raises(JobError, match="cannot be reached"):
        measure(Source("http://127.0.0.1:9"), asked("plain"), T0, T0 + 60)
