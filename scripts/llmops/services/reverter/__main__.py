"""Looks at Rollouts, and takes back in Git what a cluster aborted: by a pull request, or by a push where that is said.

It reads Rollouts and nothing else of the cluster, and writes release.yaml files of one branch of one repository. Its
memory is tags in that repository, so it may end at any moment and go on anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmops.findings import InputError, RefusedError
from llmops.git import forges
from llmops.jobs import JobError
from llmops.services.api_server import ACCOUNT, Api
from llmops.services.http import serve
from llmops.services.reverter.revert import DONE, REVERTED, Outcome, Reverter, clone
from llmops.services.reverter.rollouts import Rollout, rollouts

Tell = Callable[[Mapping[str, object]], None]


@dataclass
class Loop:
    """One look after the other. `healthy` are the cards that a Rollout was seen Healthy with, by its uid; `said` is
    what was told already, so that one abort is one message."""

    api: Api
    reverter: Reverter
    tell: Tell
    healthy: dict[str, str] = field(default_factory=dict)
    said: set[tuple[str, str]] = field(default_factory=set)
    last: list[Outcome] = field(default_factory=list)

    def look(self) -> list[Outcome]:
        """What this look did. JobError or RefusedError where somebody does not answer; the next look tries again."""
        found = rollouts(self.api)
        for one in found:
            self._promoted(one)
        aborted = [one for one in found if one.aborted]
        if not aborted:
            self.last = []
            return []
        self.reverter.fetch()
        problems: list[RefusedError] = []
        outcomes: list[Outcome] = []
        for one in aborted:
            try:
                outcome = self.reverter.handle(one)
            except RefusedError as error:
                # The other releases do not wait for this one.
                problems.append(error)
                continue
            outcomes.append(outcome)
            key = (one.uid, outcome.sentence)
            if outcome.kind != DONE and key not in self.said:
                self.said.add(key)
                self._event(
                    "reverted" if outcome.kind == REVERTED else "aborted", outcome.sentence, one, outcome
                )
        self.last = outcomes
        if problems:
            raise problems[0]
        return outcomes

    def _promoted(self, one: Rollout) -> None:
        if one.phase != "Healthy" or not one.card:
            return
        before = self.healthy.get(one.uid)
        self.healthy[one.uid] = one.card
        # What was there at the first look is no news.
        if before not in (None, one.card):
            self._event("promoted", f"{one.namespace}/{one.name} serves card {one.card[:19]}", one, None)

    def _event(self, kind: str, sentence: str, one: Rollout, outcome: Outcome | None) -> None:
        event: dict[str, object] = {
            "kind": kind,
            "message": sentence,
            "namespace": one.namespace,
            "rollout": one.name,
        }
        event |= {"uid": one.uid, "evidence": list(one.evidence)}
        if outcome:
            event |= {"commit": outcome.commit, "url": outcome.url}
        log(f"{kind}: {sentence}")
        try:
            self.tell(event)
        except OSError as error:
            # Git holds what was done; a channel that is away holds nothing up.
            log(f"the channel was not told: {error}")


def log(line: str) -> None:
    sys.stderr.write(f"{' '.join(line.split())}\n")
    sys.stderr.flush()


def webhook(url: str) -> Tell:
    """Posts each event as JSON; nothing where there is no URL."""

    def tell(event: Mapping[str, object]) -> None:
        if not url:
            return
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(event).encode(), headers, method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass

    return tell


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        repository = clone(parsed.repository, str(parsed.folder), parsed.branch)
        for key, value in (("user.name", parsed.author), ("user.email", parsed.email)):
            repository.out("config", key, value)
        forge = None if parsed.push else forges.connect(parsed.forge, parsed.forge_url, repository)
    except (InputError, RefusedError) as error:
        log(str(error))
        return 2
    url = parsed.api or f"https://{os.environ.get('KUBERNETES_SERVICE_HOST', 'kubernetes.default.svc')}"
    reverter = Reverter(repository, parsed.branch, parsed.values, forge)
    loop = Loop(Api(url, parsed.account), reverter, webhook(os.environ.get("LLMOPS_WEBHOOK_URL", "")))
    ended = threading.Event()
    threading.Thread(target=_run, args=(loop, ended, parsed.every), daemon=True).start()

    def state(_: Request, __: bytes) -> Response:
        return JSONResponse([asdict(one) for one in loop.last])

    try:
        return serve([("GET", "/state", state)], parsed.host, parsed.port)
    finally:
        ended.set()


def _run(loop: Loop, ended: threading.Event, every: float) -> None:
    while not ended.is_set():
        try:
            loop.look()
        except (JobError, RefusedError, InputError) as error:
            log(f"tried again in {every:g} s: {error}")
        ended.wait(every)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.services.reverter", description=__doc__)
    made.add_argument("--repository", required=True, help="address of the values repository")
    made.add_argument("--branch", default="main", help="branch that Argo CD follows (%(default)s)")
    made.add_argument(
        "--values", default="values", help="folder with environments/ and models/ (%(default)s)"
    )
    made.add_argument(
        "--folder", type=Path, default=Path("/repository/clone"), help="where it is cloned (%(default)s)"
    )
    made.add_argument(
        "--forge", choices=("github", "gitlab", "gitea"), default="github", help="(%(default)s)"
    )
    made.add_argument("--forge-url", default="", help="its address; by default that of the repository")
    made.add_argument(
        "--push", action="store_true", help="push to the branch itself instead of a pull request"
    )
    made.add_argument("--author", default="llm-reverter", help="name of its commits (%(default)s)")
    made.add_argument(
        "--email", default="llm-reverter@localhost", help="address of its commits (%(default)s)"
    )
    made.add_argument("--api", default="", help="the API server; by default that of the pod's cluster")
    made.add_argument(
        "--account", type=Path, default=ACCOUNT, help="folder with token and ca.crt (%(default)s)"
    )
    made.add_argument("--every", type=float, default=15, help="seconds between two looks (%(default)s)")
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port of /healthz and /state (%(default)s)")
    return made


if __name__ == "__main__":
    sys.exit(main())
