"""What the gate remembers: of each release its last rollouts, when each began, its looks and its results."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.times import rfc3339
from llmops.services.gate.question import Release

# A release with a hundred looks takes about a megabyte of memory.
MOST_RELEASES = 250
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
        for path in sorted(folder.glob("*.json"), key=_age) if folder else ():
            try:
                document = json.loads(path.read_bytes())
                release = Release(document["namespace"], document["release"])
                if path.name == _file(release):
                    self._rollouts[release] = [Rollout(**one) for one in document["rollouts"]]
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                continue  # Not ours, or of another version: counting begins anew, which only takes longer.

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

        Of too many releases the one asked about longest ago goes. JobError where all are in the middle of a rollout.
        """
        with self._lock:
            if release not in self._rollouts and len(self._rollouts) >= self._most:
                self._forget(now)
            before = self._rollouts.pop(release, [])
            for old in before:
                old.looks = old.looks[-MOST_OLD_LOOKS:]
            many = max(0, len(before) + 1 - MOST_ROLLOUTS)
            spare = sorted(before, key=lambda one: one.began is not None)[:many]
            self._rollouts[release] = [*(one for one in before if one not in spare), rollout]
        return rollout

    def _forget(self, now: float) -> None:
        """Makes room for one release."""
        called = {release: max(one.called for one in all_of) for release, all_of in self._rollouts.items()}
        gone = next((release for release, at in called.items() if at < now - _KEPT), None)
        if gone is None:
            raise JobError(f"{self._most} releases are being judged, and there is room for no more")
        del self._rollouts[gone]
        if self._folder:
            (self._folder / _file(gone)).unlink(missing_ok=True)

    def save(self, release: Release) -> None:
        """Writes the file of a release; a disk that refuses is said on stderr, and the answer is given all the same."""
        with self._lock:
            if release in self._rollouts:
                self._rollouts.move_to_end(release)
            rollouts = [asdict(one) for one in self._rollouts.get(release, [])]
        if not self._folder:
            return
        path = self._folder / _file(release)
        document = {"namespace": release.namespace, "release": release.name, "rollouts": rollouts}
        try:
            path.with_suffix(".new").write_text(json.dumps(document), encoding="utf-8")
            path.with_suffix(".new").replace(path)
        except OSError as error:
            sys.stderr.write(f"{path} cannot be written, so a restart would forget it: {error.strerror}\n")


def _file(release: Release) -> str:
    return f"{release.namespace}_{release.name}.json"


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
