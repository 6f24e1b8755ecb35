"""What is counted of texts, and that other texts are a drift while other wordings of the same are none."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.jobs import JobError
from llmops.jobs.drift_scores import Settings, judge
from llmops.jobs.texts import TEXTS, Exchange, profile, read
from llmops.jobs.traffic import Traffic
from tests.jobs.conftest import Run

EN = [
    "please",
    "tell",
    "me",
    "how",
    "the",
    "weather",
    "is",
    "and",
    "what",
    "to",
    "do",
    "with",
    "this",
    "cat",
    "of",
    "the",
    "house",
    "in",
    "a",
    "small",
    "town",
]
ZH = [
    "请",
    "告诉",
    "我",
    "天气",
    "怎么样",
    "这个",
    "房子",
    "里",
    "的",
    "猫",
    "今天",
    "做",
    "什么",
    "明天",
    "可以",
    "去",
    "小镇",
    "吗",
    "谢谢",
    "你们",
]
SQL = [
    "select",
    "from",
    "where",
    "join",
    "group",
    "order",
    "table",
    "column",
    "index",
    "null",
    "update",
    "insert",
    "values",
    "commit",
]


def asked(
    size: int,
    seed: int,
    zh: float = 0.3,
    words: list[str] | None = None,
    refused: float = 0.02,
    personal: float = 0.01,
) -> list[Exchange]:
    chance = random.Random(seed)  # noqa: S311
    made = []
    for _ in range(size):
        chinese = chance.random() < zh
        text = ("" if chinese else " ").join(chance.choices(ZH if chinese else words or EN, k=12))
        text += " 13800138000" if chance.random() < personal else ""
        answer = (
            ("抱歉，我无法回答。" if chinese else "I'm sorry, but no.")
            if chance.random() < refused
            else "Yes, 好的."
        )
        made.append(Exchange(text, answer))
    return made


def verdicts(now: list[Exchange], then: list[Exchange]) -> dict[str, str]:
    windows = [Traffic(0, 86400, 1.0, {}, {}, texts=profile(one)) for one in (now, then)]
    return {one.signal: one.outcome for one in judge(windows[0], windows[1], Settings(signals=TEXTS))}


def test_the_same_kind_of_texts_is_no_drift() -> None:
    assert set(verdicts(asked(1200, 1), asked(1200, 2)).values()) == {"none"}


@pytest.mark.parametrize(
    ("now", "signals"),
    [
        ({"zh": 0.9}, {"languages", "scripts", "words"}),
        ({"words": SQL}, {"languages", "words"}),
        ({"refused": 0.5}, {"refusals"}),
        ({"personal": 0.5}, {"personal"}),
    ],
)
def test_what_changed_is_named(now: dict[str, Any], signals: set[str]) -> None:
    found = verdicts(asked(1200, 3, **now), asked(1200, 2))
    assert {signal for signal, outcome in found.items() if outcome == "drift"} == signals


def test_without_a_sample_of_both_nothing_is_said() -> None:
    windows = [Traffic(0, 1, 1.0, {}, {}, texts=one) for one in (profile(asked(1200, 1)), {})]
    found = judge(windows[0], windows[1], Settings(signals=TEXTS))
    assert {one.reason for one in found} == {"the reference has no sample of texts"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How is the weather?", "en"), ("今天天气怎么样？", "zh"), ("今日の天気はどうですか", "ja"),
        ("Wie ist das Wetter und ich", "de"),
        ("오늘 날씨", "ko"), ("Как погода", "ru"), ("¿Cómo está el tiempo y los niños?", "es"), ("1 + 1 = 2", "none"),
    ],
)  # fmt: skip
def test_languages_are_told_by_script_and_common_words(text: str, language: str) -> None:
    assert profile([Exchange(text)])["languages"] == {language: 1}


@settings(max_examples=25)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_each_text_counts_as_one_and_none_can_be_read(texts: list[str]) -> None:
    found = profile([Exchange(text) for text in texts])
    assert all(sum(counts.values()) <= len(texts) + 1e-9 for counts in found.values())
    assert sum(found["personal"].values()) == len(texts)
    assert all(key.isascii() and len(key) <= 10 for counts in found.values() for key in counts)


def test_personal_data_is_no_word() -> None:
    assert (
        profile([Exchange("mail zhang.san@example.com")])["words"]
        == profile([Exchange("mail li.si@example.org")])["words"]
    )


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"prompt": 3}', '{"messages": [{"role": "user"}]}', '{"prompt": "", "completion": "a"}'],
)
def test_a_row_that_is_no_exchange_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sample.jsonl"
    path.write_text(json.dumps({"prompt": "a"}) + f"\n{line}\n", encoding="utf-8")
    with pytest.raises(JobError, match=r"sample\.jsonl:2: this is no exchange"):
        read(path)


@pytest.mark.real
def test_the_job_counts_a_sample_and_lets_no_text_out(drift: Callable[..., Run], tmp_path: Path) -> None:
    def write(name: str, exchanges: list[Exchange]) -> Path:
        rows = [{"prompt": one.prompt, "completion": one.completion} for one in exchanges]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return tmp_path / name

    before = write("before.jsonl", asked(1200, 1))
    reference, result = tmp_path / "reference.json", tmp_path / "result.json"
    assert drift("same", f"--sample={before}", f"--write-reference={reference}").status == 0
    now = write("now.jsonl", asked(1200, 3, zh=0.95, personal=0.4))
    signals = "--signals=prompt_tokens,languages,personal,refusals"
    run = drift("same", f"--reference={reference}", f"--sample={now}", signals, f"--output={result}")
    outcomes = {
        name: run.signal(name)["outcome"] for name in ("prompt_tokens", "languages", "personal", "refusals")
    }
    assert outcomes == {
        "prompt_tokens": "none",
        "languages": "drift",
        "personal": "drift",
        "refusals": "none",
    }
    for written in (reference, result):
        assert not any(
            word in written.read_text(encoding="utf-8") for word in ("weather", "天气", "13800138000")
        )
    other = drift("same", f"--reference={reference}", "--signals=languages")
    assert other.signal("languages")["reason"] == "the current window has no sample of texts"
