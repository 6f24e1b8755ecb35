"""What users said about answers, by release and version, each request once. No prompt, no answer, no free text."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.services.exposition import labels
from llmops.services.json_body import read_object

RATINGS = ("up", "down")
# Reasons are words of ours: a free text could hold what somebody asked.
REASONS = ("wrong", "incomplete", "refused", "unsafe", "language", "format", "slow", "other")
UNKNOWN, OTHER = "unknown", "other"
_REQUEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}")
# Versions of a release that have series of their own, and requests that are remembered.
_MOST_VERSIONS, _MOST_REQUESTS = 20, 100_000
_FIELDS = frozenset(("request_id", "rating", "reason", "version"))
_NAMES = ("namespace", "release", "model", "version", "rating", "reason")
# Values by these names; the reason is "" if none was given.
Row = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Client:
    """Whose users a caller speaks for; its token says so."""

    namespace: str
    release: str
    model: str


@dataclass
class Opinions:
    """Counts, kept in `path` (JSON Lines, one for each opinion) over restarts. Its lines hold no request id as such."""

    path: Path | None = None
    _counts: Counter[Row] = field(default_factory=Counter, init=False)
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        if self.path is None or not self.path.exists():
            return
        for number, line in enumerate(self.path.read_text(encoding="utf-8").split("\n"), 1):
            if line:
                try:
                    self._replay(read_object(line))
                except (ValueError, KeyError):
                    # The last line of a pod that was killed.
                    sys.stderr.write(f"{self.path}:{number} is no opinion, so it is left out\n")
        self._compact()

    def _replay(self, line: Mapping[str, Any]) -> None:
        """A line of the file: an opinion, a count of them, or a request. ValueError or KeyError where it is none."""
        request, count = line.get("request", ""), line.get("count", 1)
        if not isinstance(request, str) or not isinstance(count, int):
            raise ValueError
        if "rating" in line:
            values = [line[key] for key in _NAMES]
            if not all(isinstance(one, str) for one in values):
                raise ValueError
            namespace, release, model, version, rating, reason = values
            self._counts[namespace, release, model, version, rating, reason] += count
        self._remember(request)

    def add(self, client: Client, body: bytes, version: str) -> bool:
        """Takes {request_id, rating, reason, version}; `version` is that of the header x-llm-version, which the body's
        own goes before. False if the request was rated before. ValueError with one sentence; OSError if not kept."""
        opinion = read_object(body)
        unknown = sorted(opinion.keys() - _FIELDS)
        if unknown:
            raise ValueError(f"{unknown[0][:40]!a} is no field: write request_id, rating, reason and version")
        request, rating, reason = (opinion.get(key) for key in ("request_id", "rating", "reason"))
        if not isinstance(request, str) or not _REQUEST.fullmatch(request):
            raise ValueError(
                "request_id must be the id of an answer: at most 128 letters, digits, '.', '_', ':', '-'"
            )
        if rating not in RATINGS:
            raise ValueError(f"rating must be {' or '.join(RATINGS)}")
        if reason not in (None, *REASONS):
            raise ValueError(f"reason must be one of {', '.join(REASONS)}")
        said = opinion.get("version", version) or UNKNOWN
        if not isinstance(said, str) or not _VERSION.fullmatch(said):
            raise ValueError("version must be the x-llm-version of the answer")
        text = "/".join((client.namespace, client.release, client.model, request))
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        with self._lock:
            if key in self._seen:
                return False
            own = {
                row[3] for row in self._counts if row[:3] == (client.namespace, client.release, client.model)
            }
            if said not in own and len(own) >= _MOST_VERSIONS:
                said = OTHER
            row = (client.namespace, client.release, client.model, said, str(rating), reason or "")
            self._write(row, key)
            self._counts[row] += 1
            self._remember(key)
        return True

    def _remember(self, key: str) -> None:
        if key:
            self._seen[key] = None
        while len(self._seen) > _MOST_REQUESTS:
            self._seen.popitem(last=False)

    def _write(self, row: Row, key: str) -> None:
        if self.path:
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({**_fields(row), "request": key}) + "\n")

    def _compact(self) -> None:
        """One line for each count, and the requests that are remembered; as a whole or not at all."""
        assert self.path is not None  # noqa: S101
        new = self.path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as lines:
            for row, count in sorted(self._counts.items()):
                lines.write(json.dumps({**_fields(row), "count": count}) + "\n")
            for key in self._seen:
                empty = dict.fromkeys(_fields(("", "", "", "", "", "")), "")
                lines.write(json.dumps({**empty, "count": 0, "request": key}) + "\n")
        new.replace(self.path)

    def text(self) -> str:
        """The page /metrics."""
        with self._lock:
            counts = dict(self._counts)
        return "".join(_page(counts))


def _fields(row: Row) -> dict[str, Any]:
    return dict(zip(_NAMES, row, strict=True))


def _page(counts: Mapping[Row, int]) -> Iterator[str]:
    ratings: Counter[tuple[str, ...]] = Counter()
    reasons: Counter[tuple[str, ...]] = Counter()
    for row, count in counts.items():
        for rating in RATINGS:
            # A version that nobody complained about has a series too, or its share would be absent, not 0.
            ratings[(*row[:4], rating)] += count if row[4] == rating else 0
        if row[5]:
            reasons[(*row[:4], row[5])] += count
    for name, last, text, found in (
        ("llm_feedback_total", "rating", "What users said about answers, each request once.", ratings),
        ("llm_feedback_reasons_total", "reason", "Reasons that users gave.", reasons),
    ):
        yield f"# HELP {name} {text}\n# TYPE {name} counter\n"
        for values, count in sorted(found.items()):
            keys = ("namespace", "release", "model_name", "version", last)
            yield f"{name}{labels(dict(zip(keys, values, strict=True)))} {count}\n"


def read_clients(path: Path) -> dict[str, Client]:
    """Clients by their tokens, from JSON Lines {token, namespace, release, model}. ValueError with file and line."""
    clients: dict[str, Client] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = read_object(line)
            token, *names = (row[key] for key in ("token", "namespace", "release", "model"))
            if (
                not all(isinstance(one, str) and one for one in (token, *names))
                or len(token) < 24
                or token in clients
            ):
                raise ValueError
        except (ValueError, KeyError):
            raise ValueError(
                f"{path}:{number}: write an object with token (24 characters or more, of no other line), namespace, "
                "release and model"
            ) from None
        clients[token] = Client(*names)
    if not clients:
        raise ValueError(
            f"{path} names no client: write one object a line with token, namespace, release and model"
        )
    return clients
