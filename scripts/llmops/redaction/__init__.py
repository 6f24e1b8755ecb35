"""What leaves the toolkit says no credential and moves no cursor: one function for every text, one for plain data.

A credential is known by its form, or because it stood where one belongs: under a name such as api_key, behind a flag,
in a Secret. Whoever reads values or manifests lets this module `learn` what they hold.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import urllib.parse
from functools import lru_cache
from typing import Any

from llmops.redaction import forms
from llmops.untyped import mapping

__all__ = ["clean", "clean_data", "forget", "learn", "visible", "without_credentials"]

_LEAST, _LEAST_IN_SECRET = 6, 4
_SECRET_FIELDS = ("data", "stringData")
# What a terminal obeys, what turns the direction of writing, and lines that YAML and consoles do not count as one.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_COLOURS = re.compile("\x1b\\[(?:0|1|2|31|32|33|36)m")
# A workflow of GitHub obeys lines that begin so, and ##[ anywhere.
_COMMANDS = re.compile(r"(?m)^([ \t]*):(?=:)|##(?=\[)")
# Quotes as they are, or as HTML writes them.
_NAMED = re.compile(
    r"(?<![\w-])(-{0,2}[A-Za-z][\w.-]{2,60})((?:[\"']|&(?:#34|#39|#x27|quot);)?(?:\s*[:=]\s*|\s+)"
    r"(?:[\"']|&(?:#34|#39|#x27|quot);)?)([^\s\"',;<>]{6,200})"
)

_known: dict[str, str] = {}


def forget() -> None:
    """Nothing is known any more; for tests."""
    _known.clear()


def learn(data: Any) -> None:
    """Remembers the credentials in values or an object, so that no text repeats them."""
    stack: list[tuple[str, Any]] = [("", data)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, dict):
            if value.get("kind") == "Secret":
                _learn_secret(value)
            own = value.get("name")
            named = isinstance(own, str) and "value" in value and _names_secret(own)
            for key, one in value.items():
                _learn_key(name, str(key))
                inside = own if named and key == "value" else key
                stack.append(
                    (name if not _names_secret(str(inside)) and _names_secret(name) else str(inside), one)
                )
        elif isinstance(value, list):
            _learn_flags(value)
            stack += [(name, one) for one in value]
        elif name and (_names_secret(name) or _is_no_name(name, value)):
            _remember(value, _LEAST)


def _learn_key(parent: str, key: str) -> None:
    """A credential in the place of a name: paths and addresses repeat it, escaped in their own ways."""
    for secret, label in _in_key(key):
        _remember(secret, _LEAST, everything=True, label=label)
    if parent and _names_secret(parent) and forms.is_no_word(key):
        _remember(key, _LEAST)


@lru_cache(maxsize=4096)
def _in_key(key: str) -> tuple[tuple[str, str], ...]:
    return tuple((key[start:end], what) for start, end, what in forms.spans(key))


def _is_no_name(field: str, value: Any) -> bool:
    """Whether a text stands where names of Secrets belong and cannot be one: imagePullSecrets: [PASSWORD]."""
    return isinstance(value, str) and field.lower().endswith("secrets") and value != value.lower()


def _learn_secret(obj: dict[str, Any]) -> None:
    for field in _SECRET_FIELDS:
        for value in mapping(obj.get(field)).values():
            _remember(value, _LEAST_IN_SECRET, everything=True)
            if field == "data" and isinstance(value, str):
                try:
                    plain = base64.b64decode(value, validate=True).decode()
                except (binascii.Error, ValueError):
                    continue
                _remember(plain, _LEAST_IN_SECRET, everything=True)


def _learn_flags(words: list[Any]) -> None:
    """Values behind flags such as --api-key, as one word or two."""
    for index, word in enumerate(words):
        if isinstance(word, str) and word.startswith("-"):
            flag, _, value = word.partition("=")
            if _names_secret(flag):
                _remember(value or (words[index + 1] if index + 1 < len(words) else ""), _LEAST)


def _remember(value: object, least: int, *, everything: bool = False, label: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return
    secret = str(value).strip()
    if len(secret) < least or (not everything and not _could_be(secret)):
        return
    label = f"({label or forms.by_form(secret) or 'a secret'})"
    for one in (secret, *(secret.splitlines() if everything else ())):
        if len(one.strip()) >= least:
            for form in (
                one,
                json.dumps(one)[1:-1],
                json.dumps(one, ensure_ascii=False)[1:-1],
                html.escape(one),
                one.replace("~", "~0").replace("/", "~1"),
                urllib.parse.quote(one),
                urllib.parse.quote(one, safe=""),
            ):
                _known[form] = label


def _could_be(secret: str) -> bool:
    return secret.isdecimal() or forms.looks_random(secret)


@lru_cache(maxsize=4096)
def _names_secret(name: str) -> bool:
    return forms.names_secret(name)


def clean(text: str, *, colours: bool = False) -> str:
    """A text as it may leave: credentials named instead of shown, nothing that a terminal or a CI server obeys.

    `colours` lets the few codes through that the reports use.
    """
    return visible(without_credentials(text), colours=colours)


def clean_data(data: Any) -> Any:
    """Plain data whose texts, keys and numbers may leave."""
    if isinstance(data, str):
        return visible(without_credentials(data), lines=False)
    if isinstance(data, dict):
        return {clean_data(key): clean_data(value) for key, value in data.items()}
    if isinstance(data, list):
        return [clean_data(one) for one in data]
    if isinstance(data, int | float) and not isinstance(data, bool) and str(data) in _known:
        return _known[str(data)]
    return data


def visible(text: str, *, colours: bool = False, lines: bool = True) -> str:
    """Control characters and those that turn the direction of writing as escapes; with `lines` also commands of CI."""
    if _UNSEEN.search(text):
        parts = _COLOURS.split(text) if colours else [text]
        codes = _COLOURS.findall(text) if colours else []
        shown = [_UNSEEN.sub(_escape, part) for part in parts]
        text = shown[0] + "".join(code + part for code, part in zip(codes, shown[1:], strict=True))
    return _COMMANDS.sub(_command, text) if lines and ("::" in text or "##[" in text) else text


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _command(found: re.Match[str]) -> str:
    return f"{found[1]}\\u003a" if found[1] is not None else "#\\u0023"


def without_credentials(text: str) -> str:
    """The text with each credential named instead; to be asked before a text is cut, lest half of one stays."""
    for secret in sorted((one for one in _known if one in text), key=len, reverse=True):
        whole = rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])"
        text = (
            re.sub(whole, _known[secret], text) if len(secret) < 12 else text.replace(secret, _known[secret])
        )
    found = sorted(forms.spans(text), key=lambda one: (one[0], -one[1]))
    parts, at = [], 0
    for start, end, what in found:
        if start >= at:
            parts += [text[at:start], f"({what})"]
            at = end
    text = "".join([*parts, text[at:]])
    return _NAMED.sub(_unnamed, text) if forms.NAMES.search(text) else text


def _unnamed(found: re.Match[str]) -> str:
    """A value that a text names as a secret: `--api-key VALUE`, `password: VALUE`."""
    secret = _names_secret(found[1]) and forms.looks_random(found[3].rstrip(".:)"))
    return f"{found[1]}{found[2]}(a secret)" if secret else found[0]
