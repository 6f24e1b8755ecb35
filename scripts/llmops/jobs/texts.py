"""What texts are like, in counts: languages, scripts, words, refusals, and whether there is personal data in them.

Each text counts as one, whatever its length, and is masked first. Words are counted by the remainder of a hash, so the
counts tell that words have changed and never which; nothing here can be turned back into a text.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.redaction.personal import find

TEXTS = ("languages", "scripts", "words", "refusals", "personal")
# Signal -> category -> texts.
Profile = Mapping[str, Mapping[str, float]]
_BUCKETS, _MOST, _LONGEST = 64, 20_000, 20_000
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {
    "CJK": "Han", "HIRAGANA": "Kana", "KATAKANA": "Kana", "HANGUL": "Hangul", "LATIN": "Latin", "CYRILLIC": "Cyrillic",
    "ARABIC": "Arabic", "GREEK": "Greek", "DEVANAGARI": "Devanagari", "THAI": "Thai", "HEBREW": "Hebrew",
}  # fmt: skip
_BY_SCRIPT = {
    "Han": "zh", "Kana": "ja", "Hangul": "ko", "Cyrillic": "ru", "Arabic": "ar", "Greek": "el", "Devanagari": "hi",
    "Thai": "th", "Hebrew": "he",
}  # fmt: skip
# The words of a language that no text of it does without.
_COMMON = {
    "en": "the of and to is you that it for are with this what how please",
    "de": "der die und das ist nicht ein ich sie mit auf bitte für wie",
    "fr": "le la les et est des une pour que dans vous je pas comment",
    "es": "el los las y es una para que por con como está usted",
    "pt": "o os as e é uma para que não com como você por",
    "it": "il gli e è una per che non con come sono questo",
}
_MARKERS = {word: language for language, words in _COMMON.items() for word in words.split()}
_REFUSAL = re.compile(
    r"^\W*(?:(?:i['’]?m|i am) (?:really |very |so )?(?:sorry|unable|not able|not allowed)|sorry[,.]? (?:but )?i"
    r"|i (?:can(?:no|['’])?t|won['’]?t|must decline)|as an ai|unfortunately,? i"
    r"|很?抱歉|对不起|不好意思|我(?:无法|不能|没办法|不可以)|作为一?[个名]?(?:AI|人工智能|语言模型))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Exchange:
    """What was asked and what was answered; an answer may be missing."""

    prompt: str
    completion: str = ""


def read(path: Path) -> list[Exchange]:
    """The exchanges of a sample, JSON Lines with prompt or messages, and completion: the first 20,000. JobError."""
    found: list[Exchange] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    found.append(_exchange(line, f"{path}:{number}"))
                if len(found) == _MOST:
                    break
    except (OSError, UnicodeDecodeError):
        raise JobError(f"the sample {path} cannot be read: write it as JSON Lines in UTF-8") from None
    if not found:
        raise JobError(f"the sample {path} has no text")
    return found


def _exchange(line: str, place: str) -> Exchange:
    try:
        row = json.loads(line)
        prompt = prompt_of(row)
        completion = row.get("completion", "")
        if not prompt or not isinstance(completion, str):
            raise ValueError
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise JobError(
            f"{place}: this is no exchange: write an object with prompt or messages, and completion"
        ) from None
    return Exchange(prompt, completion)


def prompt_of(row: Mapping[str, Any]) -> str:
    """What the user wrote: the prompt, or the user's messages. LookupError, TypeError, ValueError where it is none."""
    if "messages" in row:
        said = [one["content"] for one in row["messages"] if one["role"] == "user"]
        return "\n".join(text for text in said if isinstance(text, str))
    if not isinstance(row["prompt"], str):
        raise ValueError
    return row["prompt"]


def profile(exchanges: Iterable[Exchange]) -> Profile:
    """Counts of texts by signal and category."""
    counts: dict[str, Counter[str]] = {signal: Counter() for signal in TEXTS}
    for one in exchanges:
        prompt = one.prompt[:_LONGEST]
        spans = find(prompt)
        counts["personal"]["some" if spans else "none"] += 1
        text = _without(prompt, spans)
        scripts = _scripts(text)
        _spread(counts["scripts"], scripts)
        _spread(counts["words"], Counter(_bucket(word) for word in _words(text)))
        counts["languages"][_language(text, scripts)] += 1
        if one.completion:
            counts["refusals"]["refused" if _REFUSAL.match(one.completion) else "answered"] += 1
    return {signal: dict(sorted(found.items())) for signal, found in counts.items() if found}


def _without(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    parts, before = [], 0
    for start, end, _ in spans:
        parts.append(text[before:start])
        before = end
    return " ".join([*parts, text[before:]])


def _spread(counts: Counter[str], found: Mapping[str, float]) -> None:
    """Adds one text, in parts."""
    total = sum(found.values())
    for key, count in found.items():
        counts[key] += count / total  # type: ignore[assignment]


def _scripts(text: str) -> Counter[str]:
    return Counter(_script(one) for one in text if one.isalpha())


@lru_cache(maxsize=8192)
def _script(letter: str) -> str:
    return _SCRIPTS.get(unicodedata.name(letter, "").partition(" ")[0], "other")


def _language(text: str, scripts: Mapping[str, float]) -> str:
    """By the script; Japanese has Kana among its Han. Of Latin ones by their common words."""
    total = sum(scripts.values())
    if not total:
        return "none"
    if scripts.get("Kana", 0) > 0.1 * total:
        return "ja"
    script = max(scripts, key=scripts.__getitem__)
    if script != "Latin":
        return _BY_SCRIPT.get(script, "other")
    votes = Counter(_MARKERS[word] for word in _WORD.findall(text.lower()) if word in _MARKERS)
    return votes.most_common(1)[0][0] if votes else "other"


def _words(text: str) -> Iterator[str]:
    """Words, and of Han and Kana pairs of characters."""
    for word in _WORD.findall(text.lower()):
        if _script(word[0]) in ("Han", "Kana"):
            yield from (word[place : place + 2] for place in range(max(1, len(word) - 1)))
        else:
            yield word


@lru_cache(maxsize=65536)
def _bucket(word: str) -> str:
    digest = hashlib.blake2b(word.encode(errors="replace"), digest_size=4).digest()
    return f"{int.from_bytes(digest, 'big') % _BUCKETS:02d}"
