"""A golden set: questions whose answers can be scored 0 or 1 without a judge. JSON Lines, see docs/quality.md."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.scoring import SCORINGS, Item, plain

MOST_ITEMS = 20_000
KEYS = {"id", "prompt", "messages", "max_tokens", "scoring", "expected", "language"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class GoldenSet:
    """`version` is the SHA-256 of the file, so that a result names exactly what was asked."""

    items: tuple[Item, ...]
    version: str


def read(path: Path) -> GoldenSet:
    """JobError with file and line, in one sentence, if the set cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JobError(
            f"{path} cannot be read ({error.strerror}): name a ConfigMap and a key that hold the golden set"
        ) from None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise JobError(f"{path} is not UTF-8 text: write the golden set as JSON Lines") from None
    items: dict[str, Item] = {}
    # Only at line feeds: splitlines would also cut at characters that a JSON text may hold.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = _item(line)
            if item.id in items:
                raise ValueError(f"the id {item.id} is there twice")
        except ValueError as error:
            raise JobError(f"{path}:{number}: {error}") from None
        items[item.id] = item
    if not items:
        raise JobError(
            f"{path} has no item: write a JSON object with id, prompt, scoring and expected per line"
        )
    if len(items) > MOST_ITEMS:
        raise JobError(f"{path} has {len(items)} items: at most {MOST_ITEMS} are asked")
    return GoldenSet(tuple(items.values()), hashlib.sha256(content).hexdigest())


def _item(line: str) -> Item:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError('this is no JSON: write an object like {"id": "…", "prompt": "…", …}') from None
    if not isinstance(found, dict):
        raise ValueError("this is no JSON object")
    unknown = sorted(found.keys() - KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}: known are {', '.join(sorted(KEYS))}")
    name, tokens, scoring = found.get("id"), found.get("max_tokens", 256), found.get("scoring")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ValueError("id must be 1 to 64 letters, digits, '.', '_' and '-'")
    if type(tokens) is not int or not 1 <= tokens <= 32768:
        raise ValueError("max_tokens must be a whole number from 1 to 32768")
    if not isinstance(scoring, str) or scoring not in SCORINGS:
        raise ValueError(f"scoring must be one of {', '.join(SCORINGS)}")
    language = found.get("language", "")
    if not isinstance(language, str) or (language and not _LANGUAGE.fullmatch(language)):
        raise ValueError("language must be a tag such as en or zh-Hans")
    return Item(name, _messages(found), tokens, scoring, _expected(scoring, found.get("expected")), language)


def _messages(found: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    prompt, messages = found.get("prompt"), found.get("messages")
    if (prompt is None) == (messages is None):
        raise ValueError("write either prompt or messages")
    if messages is None:
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError("prompt must be a text")
        return ({"role": "user", "content": prompt},)
    good = isinstance(messages, list) and all(
        isinstance(one, dict) and isinstance(one.get("role"), str) and one.get("content") for one in messages
    )
    if not good or not messages:
        raise ValueError("messages must be a list of objects with role and content")
    return tuple(messages)


def _expected(scoring: str, value: object) -> tuple[str, ...] | float:
    if scoring == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError("expected must be a number, since scoring is number")
        return float(value)
    given = value if isinstance(value, list) else [value]
    texts = [text for text in given if isinstance(text, str) and text.strip()]
    if not texts or len(texts) < len(given):
        raise ValueError("expected must be a text, or a list of texts of which any is right")
    if scoring == "choice" and not all(re.fullmatch("[A-Z]", text) for text in texts):
        raise ValueError("expected must be a letter from A to Z, since scoring is choice")
    if scoring == "regex":
        for text in texts:
            try:
                re.compile(text)
            except re.error as error:
                raise ValueError(f"expected is no regular expression: {error}") from None
        return tuple(texts)
    return tuple(plain(text) for text in texts)
