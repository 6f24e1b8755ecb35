"""The revert of one promotion: once for each Rollout and commit, and never of what came later.

Its only memory is Git: a tag with the Rollout's uid and the commit is pushed together with the revert or not at all.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llmops.findings import InputError, RefusedError
from llmops.git.delivery import REMOTE, sentence
from llmops.git.forges import TOKEN, Forge
from llmops.git.repository import Commit, Repository
from llmops.services.reverter.rollouts import Rollout
from llmops.untyped import below, mapping, text

DONE, LEFT, REVERTED = "done before", "left to a person", "reverted"


@dataclass(frozen=True)
class Outcome:
    """What became of an aborted Rollout, in one sentence. `commit` is that of the promotion, where it is known."""

    kind: str
    sentence: str
    commit: str = ""
    model: str = ""
    environment: str = ""
    url: str = ""


@dataclass(frozen=True)
class Reverter:
    """Works on a clone of its own. Without a forge the revert is pushed to the branch itself."""

    repository: Repository
    branch: str = "main"
    values: str = "values"
    forge: Forge | None = None

    @property
    def tip(self) -> str:
        return f"refs/remotes/{REMOTE}/{self.branch}"

    def fetch(self) -> None:
        """The branch as the server has it. RefusedError where it does not answer."""
        done = self.repository.run(
            "fetch", "--quiet", "--prune", REMOTE, f"+refs/heads/{self.branch}:{self.tip}"
        )
        if done.returncode:
            raise RefusedError(sentence(REMOTE, done))

    def handle(self, rollout: Rollout) -> Outcome:
        """Takes the promotion back that the Rollout aborted. RefusedError where the server or the forge refuses: it
        is tried again then, since nothing says that it was done."""
        found = self._release(rollout)
        if found is None:
            where = f"{rollout.namespace}/{rollout.name}"
            return Outcome(LEFT, f"{where} was aborted, and no release.yaml below {self.values}/ is its own")
        environment, path = found
        model = path.split("/")[-4]
        newest = self._newest(environment, path)
        if newest is None or newest.trailer("Gate") != "passed" or path not in newest.files:
            return Outcome(LEFT, _no_promotion(model, environment, newest), "", model, environment)
        now, before = self.repository.blobs([f"{self.tip}:{path}", f"{newest.parents[0]}:{path}"])
        if _card(now) != rollout.card:
            why = (
                f"{model} {environment} was aborted, and Git names another card by now: nothing to take back"
            )
            return Outcome(DONE, why, newest.id, model, environment)
        if before is None or not _card(before):
            why = f"{newest.id[:12]} was the first release of {model} in {environment}: there is none to go back to"
            return Outcome(LEFT, why, newest.id, model, environment)
        return self._revert(rollout, newest, model, environment, path, before)

    def _revert(
        self, rollout: Rollout, newest: Commit, model: str, environment: str, path: str, before: str
    ) -> Outcome:
        tag = f"refs/tags/reverts/{model}-{environment}/{rollout.uid}-{newest.id[:12]}"
        branch = f"revert/{model}-{environment}-{newest.id[:12]}"
        title = f"{model} {environment}: back from {_version(newest)}, which the cluster aborted"
        body = _message(rollout, newest, model, environment)
        if self._there(tag):
            if self.forge is not None and self._there(f"refs/heads/{branch}"):
                # The program may have ended between the push and the pull request.
                self._open(branch, title, body)
            why = f"{model} {environment}: {newest.id[:12]} is taken back already"
            return Outcome(DONE, why, newest.id, model, environment)
        parent = self.repository.out("rev-parse", self.tip)
        commit = self.repository.commit(parent, path, before, f"{title}\n\n{body}\n")
        target = f"refs/heads/{self.branch if self.forge is None else branch}"
        pushed = self.repository.run(
            "push", "--quiet", "--atomic", REMOTE, f"{commit}:{target}", f"{commit}:{tag}"
        )
        if pushed.returncode:
            if self._there(tag):
                return Outcome(
                    DONE, f"{model} {environment}: another one took it back", newest.id, model, environment
                )
            raise RefusedError(sentence(f"{target.removeprefix('refs/heads/')} of {REMOTE}", pushed))
        url = self._open(branch, title, body)
        how = f"pull request {url}" if url else f"commit {commit[:12]} on {self.branch}"
        return Outcome(REVERTED, f"{title}: {how}", newest.id, model, environment, url)

    def _open(self, branch: str, title: str, body: str) -> str:
        """The address of the pull request, which may be there already, and closed by somebody who decided so."""
        if self.forge is None:
            return ""
        return self.forge.find(branch) or self.forge.open(branch, self.branch, title, body)

    def _there(self, ref: str) -> bool:
        done = self.repository.run("ls-remote", "--exit-code", REMOTE, ref)
        if done.returncode not in (0, 2):
            raise RefusedError(sentence(REMOTE, done))
        return done.returncode == 0

    def _release(self, rollout: Rollout) -> tuple[str, str] | None:
        """Environment and release.yaml of a Rollout, by the namespace of the environment and the name of the folder."""
        files = self.repository.out("ls-tree", "-r", "--name-only", self.tip, "--", self.values).splitlines()
        facts = [
            one for one in files if one.startswith(f"{self.values}/environments/") and one.endswith(".yaml")
        ]
        texts = self.repository.blobs(f"{self.tip}:{one}" for one in facts)
        keys = ("global", "llm", "environment", "namespace")
        for name, content in zip(facts, texts, strict=True):
            if below(_values(content), keys) != rollout.namespace:
                continue
            environment = name.rpartition("/")[2].removesuffix(".yaml")
            end = f"/envs/{environment}/release.yaml"
            mine = [
                one
                for one in files
                if one.startswith(f"{self.values}/models/")
                and one.endswith(end)
                and one.removesuffix(end).rpartition("/")[2].replace(".", "-") == rollout.name
            ]
            if len(mine) == 1:
                return environment, mine[0]
        return None

    def _newest(self, environment: str, path: str) -> Commit | None:
        """The newest commit that changed anything of what the release is rendered from, charts apart."""
        model = path.partition("/envs/")[0]
        paths = [
            path.rpartition("/")[0],
            f"{model}/values.yaml",
            f"{self.values}/environments/{environment}.yaml",
        ]
        return next(iter(self.repository.history(paths, self.tip)), None)


def _no_promotion(model: str, environment: str, newest: Commit | None) -> str:
    if newest is None:
        return f"{model} {environment} was aborted, and no commit holds its files"
    what = f"{newest.id[:12]} ({newest.subject})"
    if newest.trailer("Rollback-Of"):
        return (
            f"{model} {environment} was aborted after it was taken back by {what}: a revert is not reverted"
        )
    return (
        f"{model} {environment} was aborted, and its newest change {what} is no promotion: a person decides"
    )


def _message(rollout: Rollout, newest: Commit, model: str, environment: str) -> str:
    return "\n".join(
        [
            f"This reverts commit {newest.id}.",
            "",
            f"Reason: Rollout {rollout.namespace}/{rollout.name} was aborted",
            "Evidence:",
            *(f"- {one}" for one in rollout.evidence),
            "",
            f"Model: {model}",
            f"Environment: {environment}",
            f"Rollout-UID: {rollout.uid}",
            f"Rollback-Of: {newest.id}",
        ]
    )


def _version(commit: Commit) -> str:
    return commit.trailer("Version") or "the newest version"


def _card(content: str | None) -> str:
    return text(below(_values(content), ("global", "llm", "release", "cardDigest")))


def _values(content: str | None) -> dict[str, Any]:
    try:
        return mapping(yaml.safe_load(content)) if content else {}
    except yaml.YAMLError:
        return {}


# git asks this for user and password over HTTP; the token is in no file and in no argument.
_HELPER = f'!f() {{ test "$1" = get && printf "username=git\\npassword=%s\\n" "${TOKEN}"; }}; f'


def clone(url: str, folder: str, branch: str) -> Repository:
    """A clone in an empty folder, or the one that is there. InputError where git cannot make it.

    Over HTTP the forge's token is the password.
    """
    if not Path(folder, ".git").exists():
        helper = ("-c", f"credential.helper={_HELPER}")
        made = subprocess.run(  # noqa: S603
            ["git", *helper, "clone", "--quiet", "--no-checkout", "--branch", branch, "--", url, folder],  # noqa: S607
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise InputError(sentence(f"the repository {branch}", made))
    repository = Repository(Path(folder))
    repository.out("remote", "set-url", REMOTE, url)
    repository.out("config", "credential.helper", _HELPER)
    return repository
