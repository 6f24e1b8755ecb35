"""How answers are scored: what a person would take for right is right, in English and in Chinese."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.jobs import golden, scoring


def right(folder: Path, kind: str, expected: Any, answer: str) -> bool:
    path = folder / "golden.jsonl"
    line = {"id": "a", "prompt": "x", "scoring": kind, "expected": expected}
    path.write_text(json.dumps(line), encoding="utf-8")
    (item,) = golden.read(path).items
    return scoring.right(item, answer)


@pytest.mark.parametrize(
    ("kind", "expected", "answer", "verdict"),
    [
        ("exact", "Paris", " Paris\n", True),
        ("exact", "Paris", "Paris.", False),
        ("exact", ["Paris", "巴黎"], "巴黎", True),
        ("exact", "42", "４２", True),
        ("exact", "Paris", "<think>Rome? No.</think>\nParis", True),
        ("exact", "Paris", "<think>Paris", False),
        ("contains", "great wall", "It is the Great  Wall of China", True),
        ("contains", ["长城", "Great Wall"], "那是长城。", True),
        ("contains", "Rome", "Paris", False),
        ("regex", r"^\s*\d{4}-\d{2}-\d{2}\s*$", "2026-03-14", True),
        ("regex", r"^\d{4}-\d{2}-\d{2}$", "on 2026-03-14", False),
        ("number", 42, "6 times 7 is 42.", True),
        ("number", 42, "42 is 6 times 8", False),
        ("number", 1234.5, "**1,234.50**", True),
        ("number", -3, "x = −3", True),
        ("number", 12, "答案是１２。", True),
        ("number", 0.1, "0.1000000001", True),
        ("number", 7, "seven", False),
        ("choice", "B", "B", True),
        ("choice", "B", "(B) because A is too small", True),
        ("choice", "B", "B. Since A is wrong", True),
        ("choice", "B", "The answer is B.", True),
        ("choice", "B", "答案是B。", True),
        ("choice", "B", "Not A, but B", True),
        ("choice", "B", "A", False),
        ("choice", "B", "I'd say C", False),
        ("choice", "B", "maybe", False),
        ("choice", "B", "", False),
    ],
)
def test_scoring(tmp_path: Path, kind: str, expected: Any, answer: str, verdict: bool) -> None:
    assert right(tmp_path, kind, expected, answer) is verdict


def test_a_set_in_any_language_and_with_messages(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "line\u2028separator"},
    ]
    line = {
        "id": "a",
        "messages": messages,
        "max_tokens": 5,
        "scoring": "contains",
        "expected": "是",
        "language": "zh-Hans",
    }
    path.write_text("\r\n" + json.dumps(line, ensure_ascii=False) + "\r\n\n", encoding="utf-8")
    (item,) = golden.read(path).items
    assert (list(item.messages), item.max_tokens, item.language) == (messages, 5, "zh-Hans")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "has no item"), (b"\n \n", "has no item"), (b'{"id": "\xff"}', "is not UTF-8")],
)
def test_an_empty_or_unreadable_file_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_bytes(content)
    with pytest.raises(golden.JobError, match=words):
        golden.read(path)
