"""What in a text looks like a credential: by its form, or by the name that it goes by and how random it is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

# Forms that nothing else has: in words, what must stand there, pattern. To look for plain text first is faster.
_FORMS = (
    ("a hub token", ("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{30,}\b")),
    (
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b"),
    ),
    ("a GitLab token", ("glpat-",), re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}\b")),
    ("an AWS key", ("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Google key", ("AIza",), re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("a Slack token", ("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    (
        "a Slack webhook",
        ("hooks.slack",),
        re.compile(r"\bhooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{20,}"),
    ),
    ("an API key", ("sk-",), re.compile(r"\bsk-[A-Za-z0-9_-]{32,}\b")),
    (
        "a signed token",
        ("eyJ",),
        re.compile(r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}"),
    ),
    ("a private key", ("PRIVATE KEY",), re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    (
        "a password in a URL",
        ("@",),
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:([^\s/:@{}$<>*]{4,200})@[\w.-]+"),
    ),
)
# What a finding calls them.
URL_TOKEN = "a token in a URL"  # noqa: S105
_HEADER_TOKEN = "a token in a header"  # noqa: S105
_PASSWORD = "a password"  # noqa: S105 before a host, without a scheme
_IN_FINDINGS = {_PASSWORD: "a password in a URL"}
# Whoever knows such an address may post there: robots of DingTalk, WeCom, Feishu, Slack, Teams, Discord, Telegram.
_HOOKS = re.compile(
    r"(?i)https?://[^\s\"'<>]{0,200}?(?:/services/[\w-]+/[\w-]+/|/(?:open-apis/bot/v2/hook|triggers|workflows)/"
    r"|/api/webhooks/\d+/|webhook\.office\.com/webhookb2/|/bot(?=\d+:))([\w@.:/-]{8,300})"
)
_QUERY = re.compile(
    r"(?i)https?://[^\s\"'<>]{0,500}?[?&](?:key|sign|sig|auth|code|pwd|passwd|jwt|[\w.-]{0,40}?(?:token|api[_-]?key"
    r"|(?:access|subscription|auth|secret)[_-]?key|signature|secret|password|credential))=([^\s&\"'<>#]{6,500})"
)
_HEADER = re.compile(r"(?i)\b(?:bearer|basic)\s{1,4}([A-Za-z0-9._~+/=-]{12,4000})")
# A name, a colon and a password before a host, without a scheme; not a tag before a digest.
_BARE = re.compile(
    r"(?<![\w./@-])(?:[\w.-]+/)?[\w.+-]{1,64}:([^\s/:@{}$<>*\"'`]{6,200})@(?!sha(?:256|512):)[\w.-]+"
)
# As people write it, though a slash ends the host of a URL; not a port and a path with a scope, :8080/npm/@scope.
_SLASHED = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:(?!\d{1,5}/)([^\s:@{}$<>*/]{1,100}/[^\s:@{}$<>*]{1,100})@[\w.-]+"
)
NAMED = re.compile(
    r"(?i)(?:^|[^a-z])(?:token|passw(?:or)?d|secret|api[-_]?key|access[-_]?key|private[-_]?key|credentials?)$"
)
"""Names whose value is a secret: the policy literal-secret has the same words for variables."""
NAMES = re.compile(r"(?i)token|passw|secret|key|credential")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ASSIGNED = re.compile(
    r"(?m)^[ \t-]{0,40}[\"']?([A-Za-z][\w.-]{2,60})[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?([^\s\"',]{8,200})"
)
# What stands for a value that comes from elsewhere, or says that one is missing.
_STAND_IN = re.compile(
    r"(?i)^(?:\$|\{\{|<|%\(|ENC\[|vault:|ref\+|op://|file:|/|https?://)|[}>]$|change|example|placeholder|replace|dummy|redacted|xxx"
)
# Words with signs between them, as objects of Kubernetes are called: namespace/engine-key-2.
_NAME = re.compile(r"[a-z0-9]{1,11}(?:[-./_][a-z0-9]{1,11})+")
_RANDOM = 3.0  # bits per character; words and names stay below, 16 random letters and digits above
_LONG = 8


def by_form(value: str) -> str:
    """What a text holds that only a credential looks like; empty when nothing."""
    if len(value) < _LONG:
        return ""
    for what, parts, form in _FORMS:
        if any(part in value for part in parts) and form.search(value):
            return what
    if next(_headers(value), None):
        return _HEADER_TOKEN
    return URL_TOKEN if next(_url_tokens(value), None) else ""


def each(value: str, *, hosts: bool = False) -> list[str]:
    """What each credential of a text is, from left to right; empty for most texts.

    With `hosts`, as in values of a chart, a password before a host needs no scheme: image.registry.
    """
    if len(value) < _LONG:
        return []
    found, end = [], 0
    for start, stop, what in sorted(spans(value), key=lambda one: (one[0], -one[1])):
        if start >= end and (hosts or what != _PASSWORD):
            found.append(_IN_FINDINGS.get(what, what))
            end = stop
    return found


def spans(value: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what) of each credential in a text, by its form alone; they may overlap."""
    for what, parts, form in _FORMS:
        if any(part in value for part in parts):
            for found in form.finditer(value):
                # Of a URL only the password goes; the rest says where it stands.
                yield *found.span(form.groups), what
    for matches, what in ((_url_tokens, URL_TOKEN), (_headers, _HEADER_TOKEN), (_bare, _PASSWORD)):
        for found in matches(value):
            yield *found.span(1), what


def _url_tokens(value: str) -> Iterator[re.Match[str]]:
    if "://" in value:
        for form in (_HOOKS, _QUERY):
            yield from (found for found in form.finditer(value) if not _STAND_IN.search(found[1]))


def _headers(value: str) -> Iterator[re.Match[str]]:
    if "earer" in value or "asic" in value or "EARER" in value or "ASIC" in value:
        yield from (found for found in _HEADER.finditer(value) if looks_random(found[1]))


def _bare(value: str) -> Iterator[re.Match[str]]:
    if "@" in value:
        for form in (_BARE, _SLASHED):
            yield from (found for found in form.finditer(value) if looks_random(found[1]))


def by_name(name: str, value: str) -> bool:
    """Whether a value under that name is a secret itself: the name says so, and the value is random enough."""
    return names_secret(name) and looks_random(value)


def names_secret(name: str) -> bool:
    """Whether what goes by this name is a secret: api_key, hfToken, DB_PASSWORD; not tokenSecret.name or maxTokens."""
    return bool(NAMED.search(_CAMEL.sub("_", name)))


def looks_random(value: str) -> bool:
    """Whether a value could be a key: long, without spaces, letters and digits mixed, no stand-in for one."""
    if len(value) < _LONG or re.search(r"\s", value) or _STAND_IN.search(value):
        return False
    if _NAME.fullmatch(value):
        return False
    mixed = sum(bool(re.search(part, value)) for part in ("[a-z]", "[A-Z]", "[0-9]", r"[^\w.-]"))
    return mixed >= 2 and entropy(value) >= _RANDOM


def is_no_word(value: str) -> bool:
    """Whether a text in the place of a name is rather a key: random, of three kinds of characters."""
    kinds = sum(bool(re.search(part, value)) for part in ("[a-z]", "[A-Z]", "[0-9]", r"[^\w.-]"))
    return kinds >= 3 and looks_random(value)


def entropy(value: str) -> float:
    """Bits per character, by how often each stands in the text."""
    counted = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counted)


def assigned(value: str) -> list[str]:
    """The names of the secrets that a file sets, as `name: value` or `name = value`."""
    if "\n" not in value and "=" not in value and ":" not in value:
        return []
    return [name for name, given in _ASSIGNED.findall(value) if by_name(name, given)]


def values(data: Any) -> Iterator[str]:
    """Every text inside data, in no order."""
    stack = [data]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def keys(data: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """(pointer, key) of every name inside data that could hold a credential, at any depth."""
    stack: list[tuple[str, Any]] = [(pointer, data)]
    while stack:
        here, value = stack.pop()
        if isinstance(value, dict):
            for name, one in value.items():
                inside = f"{here}/{str(name).replace('~', '~0').replace('/', '~1')}"
                if isinstance(name, str) and len(name) >= _LONG:
                    yield inside, name
                stack.append((inside, one))
        elif isinstance(value, list):
            stack += [(f"{here}/{index}", one) for index, one in enumerate(value)]


def texts(data: Any, pointer: str = "") -> Iterator[tuple[str, str, str]]:
    """(pointer, key, text) of every text inside data, at any depth."""
    stack: list[tuple[str, str, Any]] = [(pointer, "", data)]
    while stack:
        here, key, value = stack.pop()
        if isinstance(value, str):
            yield here, key, value
        elif isinstance(value, dict):
            stack += [
                (f"{here}/{str(name).replace('~', '~0').replace('/', '~1')}", str(name), one)
                for name, one in reversed(value.items())
            ]
        elif isinstance(value, list):
            stack += [(f"{here}/{index}", key, one) for index, one in reversed(list(enumerate(value)))]
