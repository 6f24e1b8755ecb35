"""What the gate remembers: of each release its last rollouts, when each began, its looks and its results."""

from __future__ import annotations

import json
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.times import rfc3339
from llmops.services.gate.question import Release
from llmops.services.gate.restore import read_state

# A release with a hundred looks takes about a megabyte of memory; in a file a fifth of that.
MOST_RELEASES = 250
MOST_BYTES, MOST_BYTES_IN_ALL = 512 * 1024, 32 * 2**20
MOST_ROLLOUTS = 5
MOST_LOOKS = 100
# Of a rollout that another one followed.
MOST_OLD_LOOKS = 20
_LOCKS = 256
# Seconds that a question waits for another one; Argo Rollouts itself gives up after ten.
_PATIENCE = 8.0
# Seconds for which a release that the controller has asked about is not forgotten for the sake of another.
_KEPT = 3600.0


@dataclass
class Rollout:
    """One attempt to replace `stable` by `canary`. Times are Unix seconds.

    `began` is when its counting began, None while only Jobs have posted results. `step` is the gate step it stands at,
    `entered` the edge of a window at which it came there, `number` how many looks that step has had, `until` the end of
    the last window looked at.
    """

    canary: str
    stable: str = ""
    began: float | None = None
    step: int = 0
    entered: float = 0.0
    number: int = 0
    until: float = 0.0
    called: float = 0.0
    required: float = 0.0
    requests: dict[str, float] = field(default_factory=dict)
    looks: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def last(self) -> dict[str, Any] | None:
        """The last look of the step it stands at."""
        return self.looks[-1] if self.looks and self.number and self.looks[-1]["step"] == self.step else None

    def evidence(self) -> dict[str, Any]:
        """What GET /v1/evidence shows of it."""
        return {
            "canary": self.canary,
            "stable": self.stable,
            "started": None if self.began is None else rfc3339(self.began),
            "looks": self.looks,
            "results": {
                kind: {**one, "at": rfc3339(one["at"]), "answered": one["answered"] is not None}
                for kind, one in self.results.items()
            },
        }


class Memory:
    """Rollouts by release, newest last; with `folder` each release is also a file there, written as a whole."""

    def __init__(self, folder: Path | None = None, most: int = MOST_RELEASES) -> None:
        self._folder, self._most = folder, most
        self._lock = Lock()
        self._rollouts: OrderedDict[Release, list[Rollout]] = OrderedDict()
        self._locks = [Lock() for _ in range(_LOCKS)]
        self._bytes: dict[Release, int] = {}
        for path in sorted(folder.glob("*.json"), key=_age) if folder else ():
            try:
                self._load(path)
            except (OSError, ValueError, TypeError, KeyError, AttributeError, JobError) as error:
                # Counting begins anew, which only takes longer.
                _say(f"dropped the state in {path.name!a}: {type(error).__name__}")

    def _load(self, path: Path) -> None:
        size = path.stat().st_size
        if size > 2 * MOST_BYTES or sum(self._bytes.values()) + size > MOST_BYTES_IN_ALL:
            raise ValueError("it is too large")
        namespace, name, rollouts = read_state(path.read_bytes())
        release = Release(namespace, name)
        if path.name != _file(release):
            raise ValueError("it has another release's name")
        self._rollouts[release] = [Rollout(**one) for one in rollouts[-MOST_ROLLOUTS:]]
        self._bytes[release] = size

    @contextmanager
    def lock(self, release: Release) -> Iterator[None]:
        """Held while a release is judged, so that all its gates see one look. Some releases share one.

        JobError when another question takes long, so that a slow Prometheus does not take all threads.
        """
        own = self._locks[hash(release) % _LOCKS]
        if not own.acquire(timeout=_PATIENCE):
            raise JobError(f"an earlier question about {release.name} is still being answered")
        try:
            yield
        finally:
            own.release()

    def rollouts(self, release: Release) -> list[Rollout]:
        with self._lock:
            return self._rollouts.get(release, [])

    def all(self) -> Iterator[tuple[Release, Rollout]]:
        with self._lock:
            return iter([(release, one) for release, all_of in self._rollouts.items() for one in all_of])

    def add(self, release: Release, rollout: Rollout, now: float) -> Rollout:
        """A new rollout. Of too many those go that no gate step has asked about, then the oldest.

        Of too many releases one goes, see `_forget`. JobError.
        """
        with self._lock:
            if release not in self._rollouts and len(self._rollouts) >= self._most:
                self._forget(now, release.namespace)
            before = self._rollouts.pop(release, [])
            for old in before:
                old.looks = old.looks[-MOST_OLD_LOOKS:]
            many = max(0, len(before) + 1 - MOST_ROLLOUTS)
            spare = sorted(before, key=lambda one: one.began is not None)[:many]
            self._rollouts[release] = [*(one for one in before if one not in spare), rollout]
        return rollout

    def _forget(self, now: float, namespace: str) -> None:
        """Makes room for one release: of those that nobody asks about, else of the namespace with the most of them.

        So nobody who makes up releases of their own takes the room of others. JobError.
        """
        called = {release: max(one.called for one in all_of) for release, all_of in self._rollouts.items()}
        gone = next((release for release, at in called.items() if at < now - _KEPT), None)
        if gone is None:
            amount = Counter(release.namespace for release in self._rollouts)
            largest, most = amount.most_common(1)[0]
            if largest == namespace or most <= amount[namespace] + 1:
                raise JobError(f"{self._most} releases are being judged, and there is room for no more")
            gone = min((one for one in called if one.namespace == largest), key=called.__getitem__)
        del self._rollouts[gone]
        self._bytes.pop(gone, None)
        if self._folder:
            (self._folder / _file(gone)).unlink(missing_ok=True)

    def save(self, release: Release) -> None:
        """Writes the file of a release; a disk that refuses is said on stderr, and the answer is given all the same."""
        with self._lock:
            if release in self._rollouts:
                self._rollouts.move_to_end(release)
            text = self._text(release)
            # Looks are for people to read; what decides about the next one is kept.
            while len(text) > self._share(release) and any(
                len(one.looks) > 1 for one in self._rollouts[release]
            ):
                for one in self._rollouts[release]:
                    one.looks = one.looks[-max(1, len(one.looks) // 2) :]
                text = self._text(release)
            while len(text) > MOST_BYTES and len(self._rollouts[release]) > 1:
                del self._rollouts[release][0]
                text = self._text(release)
            self._bytes[release] = len(text)
        if not self._folder:
            return
        path = self._folder / _file(release)
        try:
            path.with_suffix(".new").write_text(text, encoding="utf-8")
            path.with_suffix(".new").replace(path)
        except OSError as error:
            _say(f"{path} cannot be written, so a restart would forget it: {error.strerror}")

    def _text(self, release: Release) -> str:
        rollouts = [asdict(one) for one in self._rollouts.get(release, [])]
        document = {"namespace": release.namespace, "release": release.name, "rollouts": rollouts}
        return json.dumps(document)

    def _share(self, release: Release) -> int:
        """Bytes that a release may take: less where all together take much."""
        others = sum(self._bytes.values()) - self._bytes.get(release, 0)
        return MOST_BYTES if others + MOST_BYTES <= MOST_BYTES_IN_ALL else MOST_BYTES // 16


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def _file(release: Release) -> str:
    return f"{release.namespace}_{release.name}.json"


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
