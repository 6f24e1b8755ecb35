"""Feedback of users: what is taken and what is refused, that it outlives a kill, and what a comparison says by it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.jobs import feedback, golden
from llmops.jobs.feedback import Ratings, compare
from llmops.services.feedback.opinions import Opinions, read_clients
from tests.conftest import program
from tests.jobs.conftest import get
from tests.jobs.history import END
from tests.services.test_results import exporting, port_of, samples
from tests.waiting import PATIENCE, end

TOKEN, OTHER = "t" * 32, "u" * 32


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    rows = [
        {"token": TOKEN, "namespace": "llm", "release": "demo", "model": "qwen"},
        {"token": OTHER, "namespace": "lab", "release": "demo", "model": "qwen"},
    ]
    path = tmp_path / "clients.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@contextmanager
def serving(clients: Path, folder: Path, kill: bool = False) -> Iterator[str]:
    command = [sys.executable, "-m", "llmops.services.feedback", "--host=127.0.0.1", "--port=0"]
    process = subprocess.Popen(
        [*command, f"--clients={clients}", f"--folder={folder}"], stderr=subprocess.PIPE, text=True
    )
    try:
        yield f"http://127.0.0.1:{port_of(process)}"
    finally:
        if kill:
            process.kill()
            process.wait(PATIENCE)
        else:
            assert end(process) == 0
        process.stderr.close()  # type: ignore[union-attr]


def send(url: str, body: Any, token: str = TOKEN, version: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} | ({"x-llm-version": version} if version else {})
    request = urllib.request.Request(f"{url}/v1/feedback", json.dumps(body).encode(), headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()


@pytest.mark.real
def test_each_request_counts_once_by_version_over_a_kill(clients: Path, tmp_path: Path) -> None:
    with serving(clients, tmp_path, kill=True) as url:
        assert send(url, {"request_id": "chatcmpl-1", "rating": "up"}, version="1.2.0") == (204, "")
        assert (
            send(url, {"request_id": "chatcmpl-2", "rating": "down", "reason": "wrong"}, version="1.2.0")[0]
            == 204
        )
        assert send(url, {"request_id": "chatcmpl-2", "rating": "up"})[0] == 200
        assert send(url, {"request_id": "chatcmpl-1", "rating": "down"}, OTHER)[0] == 204
        shown = get(f"{url}/metrics")
    assert "chatcmpl" not in (tmp_path / "feedback.jsonl").read_text(encoding="utf-8")
    with (tmp_path / "feedback.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"namespace": "llm", "rel')
    with serving(clients, tmp_path) as url:
        assert get(f"{url}/metrics") == shown
        assert send(url, {"request_id": "chatcmpl-1", "rating": "down"})[0] == 200
        found = samples(url)
    assert found == {
        ("llm_feedback_total", "llm", "demo", "qwen", "1.2.0", "up"): 1,
        ("llm_feedback_total", "llm", "demo", "qwen", "1.2.0", "down"): 1,
        ("llm_feedback_total", "lab", "demo", "qwen", "unknown", "up"): 0,
        ("llm_feedback_total", "lab", "demo", "qwen", "unknown", "down"): 1,
        ("llm_feedback_reasons_total", "llm", "demo", "qwen", "1.2.0", "wrong"): 1,
    }


@pytest.mark.real
def test_who_has_no_token_and_what_is_no_opinion_is_refused(clients: Path, tmp_path: Path) -> None:
    with serving(clients, tmp_path) as url:
        assert send(url, {"request_id": "a", "rating": "up"}, "x" * 32) == (
            401, "feedback needs the bearer token of a release",
        )  # fmt: skip
        for body, sentence in (
            ({"request_id": "a", "rating": 5}, "rating must be up or down"),
            ({"request_id": "a b", "rating": "up"}, "request_id must be the id of an answer"),
            (
                {"request_id": "a", "rating": "up", "reason": "he said 13800138000"},
                "reason must be one of wrong,",
            ),
            ({"request_id": "a", "rating": "up", "prompt": "my secret"}, "'prompt' is no field"),
            ({"request_id": "a", "rating": "up", "version": "1\n2"}, "version must be the x-llm-version"),
            ([], "the body must be a JSON object"),
        ):
            status, said = send(url, body)
            assert (status, sentence in said) == (400, True), said
        assert send(url, {"request_id": "a" * 5000, "rating": "up"})[0] == 413
        assert samples(url) == {}


def test_versions_have_no_end_but_series_do(clients: Path) -> None:
    opinions, client = Opinions(), read_clients(clients)[TOKEN]
    for number in range(200):
        opinions.add(
            client, json.dumps({"request_id": str(number), "rating": "up"}).encode(), f"1.0.{number}"
        )
    lines = [line for line in opinions.text().splitlines() if line.endswith((" 1", " 180"))]
    assert len(lines) == 21
    assert any('version="other"' in line and line.endswith(" 180") for line in lines)


@pytest.mark.parametrize(
    "line", ["{", "{}", '{"token": "short", "namespace": "a", "release": "b", "model": "c"}']
)
def test_a_client_without_a_token_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "clients.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"clients\.jsonl:2: write an object with token"):
        read_clients(path)


def test_how_often_a_comparison_is_right() -> None:
    """Two hundred ratings a side: one false alarm in a hundred at most, and what it calls detectable it finds."""
    chance = random.Random(5)  # noqa: S311

    def drawn(share: float, size: int) -> Ratings:
        return Ratings(sum(chance.random() < share for _ in range(size)), size)

    same = [compare(drawn(0.1, 400), drawn(0.1, 400), 0.0, 0.01, 100).outcome for _ in range(800)]
    assert same.count("worse") <= 20
    worse = [compare(drawn(0.2, 400), drawn(0.1, 400), 0.03, 0.01, 100) for _ in range(300)]
    assert sum(one.outcome == "worse" for one in worse) >= 240
    assert all(0.05 < (one.detectable or 0) < 0.1 for one in worse)


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 300), st.integers(1, 300))
def test_few_ratings_say_nothing_and_fewer_complaints_are_never_worse(
    down: int, rated: int, down_before: int, rated_before: int
) -> None:
    now, before = Ratings(min(down, rated), rated), Ratings(min(down_before, rated_before), rated_before)
    found = compare(now, before, 0.05, 0.01, 100)
    if min(rated, rated_before) < 100:
        assert (found.outcome, found.difference) == ("inconclusive", None)
    elif now.down * rated_before <= before.down * rated:
        assert found.outcome != "worse"


def test_a_small_difference_that_few_ratings_cannot_see_is_inconclusive() -> None:
    found = compare(Ratings(12, 110), Ratings(11, 110), 0.05, 0.01, 100)
    assert found.outcome == "inconclusive"
    assert found.reason.startswith("these ratings find 13.")


@pytest.mark.real
def test_a_comparison_reads_prometheus_and_the_exporter_shows_it(
    start_prometheus: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two weeks of ratings: in the second a fifth more is rated down."""
    series = []
    for rating, weeks in (("up", (900, 700)), ("down", (100, 300))):
        total = 0.0
        name = f'llm_feedback_total{{namespace="llm",release="demo",model_name="qwen",version="1",rating="{rating}"}}'
        for step in range(14 * 24 + 1):
            series.append(f"{name} {total} {END - (14 * 24 - step) * 3600}")
            total += weeks[step // (7 * 24) if step < 14 * 24 else 1] / (7 * 24)
    text = tmp_path / "series"
    text.write_text("# TYPE llm_feedback counter\n" + "\n".join(series) + "\n# EOF\n", encoding="utf-8")
    promtool = program("LLMOPS_PROMTOOL", "bin/promtool")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", text, tmp_path / "data"]
    subprocess.run(blocks, check=True, capture_output=True)
    url = start_prometheus(tmp_path / "data")
    own = [
        "--namespace=llm",
        "--release=demo",
        "--model=qwen",
        f"--prometheus={url}",
        "--end=2026-01-09T00:00:00Z",
    ]
    with exporting() as exporter:
        assert feedback.main(["compare", *own, f"--exporter={exporter}"]) == 1
        shown = samples(exporter)
    made = json.loads(capsys.readouterr().out)
    assert (made["outcome"], made["current"]["rated"]) == ("worse", pytest.approx(1000, rel=0.02))
    assert made["difference"] == pytest.approx(0.2, abs=0.01)
    assert shown["llm_feedback_outcome", "llm", "demo", "qwen", "worse"] == 1
    assert shown["llm_feedback_difference", "llm", "demo", "qwen"] == pytest.approx(0.2, abs=0.01)
    assert feedback.main(["compare", *own, "--exit-zero"]) == 0
    assert feedback.main(["compare", *own, "--version=2"]) == 0
    assert "0 ratings against" in capsys.readouterr().out


ITEM = {"request_id": "chatcmpl-7", "prompt": "2 + 2?", "scoring": "number", "expected": 4}


def add(tmp_path: Path, *rows: dict[str, Any]) -> int:
    path = tmp_path / "reviewed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return feedback.main(["add", f"--reviewed={path}", f"--golden={tmp_path / 'golden.jsonl'}"])


def test_reviewed_items_come_into_the_golden_set_as_a_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "golden.jsonl"
    target.write_text(
        json.dumps({"id": "a", "prompt": "1 + 1?", "scoring": "number", "expected": 2}), encoding="utf-8"
    )
    assert add(tmp_path, ITEM) == 0
    assert [item.id for item in golden.read(target).items] == ["a", "chatcmpl-7"]
    before = target.read_bytes()
    for rows, sentence in (
        ([ITEM], "golden.jsonl:3: the id chatcmpl-7 is there twice"),
        ([{**ITEM, "request_id": "b"}, {**ITEM, "request_id": "c", "scoring": "x"}], "golden.jsonl:4: scoring must be"),
        ([{**ITEM, "prompt": "call 13800138000"}], "reviewed.jsonl:1: there is personal data in it (mobile)"),
        ([{"prompt": "no id"}], "reviewed.jsonl:1: write an object with request_id"),
        ([], "has no item"),
    ):  # fmt: skip
        assert add(tmp_path, *rows) == 2
        assert sentence in capsys.readouterr().err
        assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["golden.jsonl", "reviewed.jsonl"]
