"""When retraining is asked for, and when not: by pure decisions, by the trigger, and by the exporter as a process."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.jobs.times import rfc3339
from llmops.services.events import Event, EventError, secret_of, verify
from llmops.services.results.__main__ import main
from llmops.services.results.evaluation import Evaluation
from llmops.services.results.retrain import Policy, decide
from llmops.services.results.store import Results
from llmops.services.results.trigger import Trigger
from tests.jobs.conftest import get
from tests.services.test_results import RESULT as DRIFT
from tests.services.test_results import exporting, post
from tests.services.test_results_evaluation import RESULT as EVALUATION
from tests.waiting import until

DAY = 86400.0
START = 1767916830.0  # 2026-01-09T00:00:30Z
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def moment(day: float) -> str:
    return rfc3339(START + day * DAY)


@dataclass
class World:
    """A trigger with a clock and a webhook of its own; days count from START."""

    folder: Path
    policy: Policy = field(default_factory=Policy)
    day: float = 0.0
    taken: list[Event] = field(default_factory=list)
    away: bool = False

    def __post_init__(self) -> None:
        self.results = Results(self.folder, forget_after=1e9, now=self.now)
        self.start()

    def start(self) -> None:
        key = secret_of(SECRET)
        state = self.folder / "retrain.state"
        self.trigger = Trigger(self.results, "http://x", key, state, self.policy, self.deliver, self.now)

    def now(self) -> float:
        return START + self.day * DAY

    def deliver(self, _: str, event: Event, __: bytes) -> None:
        if self.away:
            raise EventError("the webhook answered HTTP 503")
        self.taken.append(event)

    def evaluated(self, outcome: str, retrain: bool = False) -> None:
        document = EVALUATION | {"outcome": outcome, "retrain": retrain, "finished": moment(self.day)}
        self.results.add(json.dumps(document).encode())
        self.trigger.review()

    def drifted(self, score: float, signal: str = "prompt_tokens") -> None:
        rows = [{"signal": signal, "score": score, "samples": 6000}]
        self.results.add(json.dumps(DRIFT | {"signals": rows, "finished": moment(self.day)}).encode())
        self.trigger.review()

    def rated(self, outcome: str) -> None:
        document = {key: DRIFT[key] for key in ("schemaVersion", "namespace", "release", "model")}
        more = {
            "kind": "llm-feedback-result",
            "outcome": outcome,
            "finished": moment(self.day),
            "difference": 0.1,
        }
        self.results.add(json.dumps(document | more).encode())
        self.trigger.review()

    def decision(self) -> str:
        lines = [
            line for line in self.trigger.text().splitlines() if line.startswith("llm_retrain_decision{")
        ]
        (line,) = [line for line in lines if line.endswith(" 1")]
        return line.split('decision="')[1].split('"')[0]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_drop_beyond_the_margin_asks_once(world: World) -> None:
    world.evaluated("regressed", retrain=True)
    for _ in range(5):
        world.trigger.review()
    (event,) = world.taken
    assert event.type == "llm.retrain.requested"
    assert event.data == {
        "namespace": "llm", "release": "demo", "model": "qwen", "reason": "a drop beyond the margin is confirmed",
    }  # fmt: skip


@pytest.mark.parametrize("outcome", ["passed", "inconclusive", "incomparable", "measured"])
def test_drift_alone_never_asks(world: World, outcome: str) -> None:
    world.evaluated(outcome)
    for world.day in (1, 2, 3):
        world.drifted(0.9)
    assert (world.taken, world.decision()) == ([], "none")


def test_a_smaller_drop_asks_with_drift_in_two_runs_in_a_row(world: World) -> None:
    world.evaluated("regressed")
    for world.day, score in ((1, 0.9), (2, 0.1), (3, 0.9)):
        world.drifted(score)
    assert world.taken == []
    world.day = 4
    world.drifted(0.9)
    world.day = 5
    world.drifted(0.9)
    assert len(world.taken) == 1


@pytest.mark.parametrize("signal", ["volume", "hour_profile"])
def test_what_follows_the_business_never_counts(world: World, signal: str) -> None:
    world.evaluated("regressed")
    world.rated("worse")
    for world.day in (1, 2, 3):
        world.drifted(0.99, signal)
    assert world.taken == []


def test_users_who_like_answers_less_ask_with_drift_in_two_runs_in_a_row(world: World) -> None:
    world.rated("worse")
    world.drifted(0.9)
    assert (world.taken, world.decision()) == ([], "none")
    world.day = 1
    world.drifted(0.9)
    world.day = 2
    world.drifted(0.9)
    (event,) = world.taken
    assert event.data["reason"] == "users like the answers less, and traffic has drifted in two runs in a row"
    world.day = 9
    for outcome in ("none", "inconclusive"):
        world.rated(outcome)
        world.drifted(0.9)
    assert len(world.taken) == 1


@pytest.mark.parametrize("switch", [True, False])
def test_another_training_set_asks_once_where_it_is_switched_on(world: World, switch: bool) -> None:
    world.policy = Policy(new_data=switch)
    world.start()
    for world.day, digit in ((0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "b")):
        data = {"reference": {"data": f"sha256:{digit * 64}"}, "finished": moment(world.day)}
        world.results.add(json.dumps(DRIFT | data).encode())
        world.trigger.review()
        world.start()
    assert [event.data["reason"] for event in world.taken] == ["the training set is another one"] * switch


def test_requests_cool_down_and_have_a_budget(world: World) -> None:
    decisions = []
    for world.day in (0, 3, 8, 16):
        world.evaluated("regressed", retrain=True)
        decisions.append(world.decision())
    # 9, 12, 17 and 25 January.
    assert decisions == ["requested", "cooldown", "requested", "budget"]
    world.day = 24  # 2 February
    world.trigger.review()
    assert world.decision() == "requested"
    assert len(world.taken) == 3


def test_a_person_approves_by_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path, Policy(manual=True))
    world.evaluated("regressed", retrain=True)
    assert (world.taken, world.decision()) == ([], "approval")
    key = capsys.readouterr().err.strip().rpartition(" ")[2]
    world.policy = Policy(manual=True, approved=frozenset({key}))
    world.start()
    world.trigger.review()
    assert [event.id for event in world.taken] == [key]


def test_a_restart_asks_for_nothing_again(world: World) -> None:
    world.evaluated("regressed", retrain=True)
    world.start()
    world.trigger.review()
    assert len(world.taken) == 1


def test_what_was_not_delivered_is_delivered_later_under_the_same_id(world: World) -> None:
    world.away = True
    world.evaluated("regressed", retrain=True)
    assert 'delivered="false"} 1' in world.trigger.text()
    world.start()
    world.away = False
    world.trigger.review()
    world.trigger.review()
    assert len(world.taken) == 1
    assert 'delivered="true"} 1' in world.trigger.text()


def test_a_lost_state_asks_for_nothing(world: World) -> None:
    world.evaluated("regressed", retrain=True)
    (world.folder / "retrain.state").write_text('{"models": [')
    with pytest.raises(EventError, match=r"retrain\.state cannot be read .*: restore it, or remove it"):
        world.start()


@given(
    st.lists(
        st.tuples(st.floats(0.1, 40), st.sampled_from(["regressed", "passed"]), st.booleans()), max_size=30
    )
)
def test_however_results_come_no_model_asks_more_than_its_budget(runs: list[tuple[float, str, bool]]) -> None:
    policy, now, requested = Policy(), START, list[tuple[str, float]]()
    for pause, outcome, retrain in runs:
        now += pause * DAY
        run = Evaluation("llm", "demo", "qwen", now, outcome, retrain and outcome == "regressed", {})
        for moment_ in (now, now + 1):
            made = decide([run], [], [], requested, policy, moment_)
            if made.decision == "requested":
                requested.append((made.key, moment_))
    months = [rfc3339(when)[:7] for _, when in requested]
    assert all(months.count(month) <= policy.budget for month in months)
    assert len({key for key, _ in requested}) == len(requested)
    gaps = [second[1] - first[1] for first, second in pairwise(requested)]
    assert all(gap >= policy.cooldown for gap in gaps)


# --- the exporter as a process ----------------------------------------------------------------------------------------


@dataclass
class Webhook:
    url: str
    taken: list[tuple[dict[str, str], bytes]]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    taken: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Webhook(f"http://127.0.0.1:{server.server_port}/retrain", taken)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.real
def test_a_regression_reaches_a_webhook_that_believes_it(
    webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAIN_SECRET", SECRET)
    arguments = (f"--folder={tmp_path}", f"--retrain-url={webhook.url}")
    with exporting(*arguments) as url:
        assert post(url, EVALUATION)[0] == 204
        (headers, body) = until(lambda: webhook.taken and webhook.taken[0], "an event")
        data = verify(headers, body, secret_of(SECRET), float(headers["webhook-timestamp"]))
        assert (data["release"], data["model"]) == ("demo", "qwen")
        assert post(url, EVALUATION)[0] == 204
        until(lambda: 'delivered="true"} 1' in get(f"{url}/metrics"), "it is counted")
    with exporting(*arguments) as url:
        until(lambda: 'decision="none"} 1' in get(f"{url}/metrics"), "a decision after the restart")
    assert len(webhook.taken) == 1


@pytest.mark.parametrize(
    ("arguments", "secret", "words"),
    [
        ([], SECRET, "--retrain-url needs --folder"),
        (["--folder=results"], "", "the variable RETRAIN_SECRET"),
        (["--folder=results"], "password", "the secret is none: write whsec_"),
    ],
)
def test_half_a_trigger_is_refused(
    arguments: list[str],
    secret: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RETRAIN_SECRET", secret)
    assert main(["--retrain-url=http://127.0.0.1:9", *arguments]) == 2
    assert words in capsys.readouterr().err
