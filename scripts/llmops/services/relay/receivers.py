"""Who is told: what `--receiver` says, and the files with the secrets of a robot."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.services.json_body import read_object

KINDS = ("dingtalk", "wecomRobot", "feishu", "slack", "teams", "webhook")
LANGUAGES = ("en", "zh")
SEVERITIES = ("critical", "warning", "info")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,58}[a-z0-9])?")


@dataclass(frozen=True)
class Receiver:
    """`url_file` holds the robot's URL with its token, `secret_file` what its messages are signed with. `keyword` is a
    word that the robot wants in each message. Messages whose severity is one of `mention_severities` mention
    `mention_users` (ids as the chat has them), or everybody with `mention_all`."""

    name: str
    kind: str
    url_file: str
    secret_file: str = ""
    language: str = "en"
    keyword: str = ""
    mention_users: tuple[str, ...] = ()
    mention_all: bool = False
    mention_severities: tuple[str, ...] = ("critical",)

    def mentions(self, severity: str) -> bool:
        return severity in self.mention_severities and bool(self.mention_users or self.mention_all)

    def url(self) -> str:
        """Read for each message, since the kubelet renews it. JobError, which says no part of it."""
        url = _content(self.url_file, self.name)
        try:
            parts = urllib.parse.urlsplit(url)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fine = False
        # A blank inside would end the request line.
        if not fine or not url.isascii() or not url.isprintable() or " " in url:
            raise JobError(
                f"the URL of receiver {self.name} is none: the Secret must hold https://HOST/... alone"
            )
        return url

    def secret(self) -> str:
        return _content(self.secret_file, self.name) if self.secret_file else ""


def _content(file: str, name: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise JobError(f"a secret of receiver {name} cannot be read from {file}") from None


def receiver(text: str) -> Receiver:
    """`text` is a JSON object with the fields of a Receiver. JobError."""
    try:
        given = read_object(text)
    except ValueError as error:
        raise JobError(f"--receiver: {error}") from None
    known = {each.name for each in fields(Receiver)}
    if unknown := sorted(set(given) - known):
        raise JobError(f"--receiver: there is no {unknown[0]}; there are {', '.join(sorted(known))}")
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise JobError("--receiver: name must be of small letters, digits and '-', at most 60")
    for key, allowed in (("kind", KINDS), ("language", LANGUAGES)):
        if given.get(key, "en") not in allowed:
            raise JobError(f"--receiver {name}: {key} must be one of {', '.join(allowed)}")
    texts = all(isinstance(given.get(key, ""), str) for key in ("url_file", "secret_file", "keyword"))
    lists = {key: given.get(key) for key in ("mention_users", "mention_severities") if key in given}
    if (
        not texts
        or not all(map(_words, lists.values()))
        or not isinstance(given.get("mention_all", False), bool)
    ):
        raise JobError(f"--receiver {name}: files and keyword are texts, mentions are lists of texts")
    if not given.get("url_file"):
        raise JobError(f"--receiver {name}: url_file is missing, the file with the robot's URL")
    return Receiver(**(given | {key: tuple(value or ()) for key, value in lists.items()}))


def _words(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 20
        and all(isinstance(one, str) and len(one) <= 48 for one in value)
    )
