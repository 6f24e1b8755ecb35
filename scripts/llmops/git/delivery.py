"""Commits on their way out: pushed to the remote's branch, or to one of their own with a pull request."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from llmops.findings import InputError, RefusedError
from llmops.git.forges import Forge
from llmops.git.repository import Repository

REMOTE = "origin"
# What git or a server says, and what is meant by it.
_REFUSALS = (
    ("protected branch", "is protected; use --pull-request"),
    ("not allowed to push", "is protected; use --pull-request"),
    ("hook declined", "was refused by a hook of the server; use --pull-request"),
    ("non-fast-forward", "was moved by somebody else meanwhile; `git pull` and try again"),
    ("fetch first", "was moved by somebody else meanwhile; `git pull` and try again"),
    ("stale info", "was moved by somebody else meanwhile; `git pull` and try again"),
    ("Authentication failed", "takes no push with these credentials, which may have expired"),
    ("could not read Username", "takes no push without credentials; give git some"),
    (
        "Host key verification failed",
        "has a host key that is not known here; connect once with ssh and compare it",
    ),
    ("does not appear to be a git repository", "is no Git repository"),
    ("Permission denied (", "takes no push with this key"),
    ("Could not read from remote repository", "cannot be read; are address and key right?"),
    ("403", "takes no push with these credentials"),
)


@dataclass(frozen=True)
class Move:
    """A commit that is made, and in no branch yet. `path` is the one file that it changes, from the top of the tree."""

    repository: Repository
    branch: str
    parent: str
    commit: str
    subject: str
    body: str
    path: str
    tag: str = ""
    tag_message: str = ""

    @property
    def branch_of_change(self) -> str:
        """A branch of its own, for a pull request."""
        return f"release/{self.subject.partition(':')[0].replace(' ', '-')}-{self.commit[:8]}"


def push(move: Move) -> None:
    """The commit onto the remote's branch, and its tag with it or neither. RefusedError, with nothing pushed, where
    the remote does not take it or its branch is not what it was."""
    repository = move.repository
    require_current(repository, move.branch)
    refs = [f"{move.commit}:refs/heads/{move.branch}"]
    if move.tag:
        repository.tag(move.tag, move.parent, move.tag_message)
        refs.append(f"refs/tags/{move.tag}")
    try:
        _push(repository, move.branch, refs)
    finally:
        # Whoever lands the commit makes the tag; where nothing was pushed there is none to keep.
        if move.tag:
            repository.out("tag", "--delete", move.tag)


def open_change(move: Move, forge: Forge) -> str:
    """The commit on a branch of its own and a pull request for it: the address of that. Where the forge opens none
    the branch is taken back."""
    repository = move.repository
    require_current(repository, move.branch)
    branch = move.branch_of_change
    _push(repository, branch, [f"{move.commit}:refs/heads/{branch}"])
    try:
        return forge.open(branch, move.branch, move.subject, move.body)
    except (InputError, RefusedError):
        repository.run("push", "--quiet", REMOTE, f":refs/heads/{branch}")
        raise


def require_current(repository: Repository, branch: str) -> None:
    """RefusedError where the remote's branch has commits that this one lacks, or was written anew."""
    tracking = f"refs/remotes/{REMOTE}/{branch}"
    if repository.run("remote", "get-url", REMOTE).returncode:
        raise InputError(f"there is no remote {REMOTE!r} to push to; add one with `git remote add`")
    known = _revision(repository, tracking)
    done = repository.run("fetch", "--quiet", REMOTE, f"+refs/heads/{branch}:{tracking}")
    if done.returncode:
        if "couldn't find remote ref" in done.stderr:
            return
        raise RefusedError(sentence(f"{REMOTE}", done))
    there = _revision(repository, tracking)
    if not there or _is_ancestor(repository, there, "HEAD"):
        return
    if known and not _is_ancestor(repository, known, there):
        lost = f"{branch} of {REMOTE} was force-pushed: it no longer holds {known[:12]}"
        raise RefusedError(f"{lost}; look at what is missing before you promote")
    if _is_ancestor(repository, "HEAD", there):
        raise RefusedError(
            f"{branch} of {REMOTE} is ahead; `git pull` first, so that the gate judges what is there"
        )
    raise RefusedError(f"{branch} and that of {REMOTE} have parted; rebase or merge first")


def _push(repository: Repository, branch: str, refs: list[str]) -> None:
    done = repository.run("push", "--quiet", "--atomic", REMOTE, *refs)
    if done.returncode:
        raise RefusedError(sentence(f"{branch} of {REMOTE}", done))


def sentence(subject: str, done: subprocess.CompletedProcess[str]) -> str:
    """What a push or a fetch that failed means, in one sentence without what the server wrote around it."""
    for said, meant in _REFUSALS:
        if said in done.stderr:
            return f"{subject} {meant}"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return (
        f"{subject} cannot be reached or takes no push: {lines[-1].strip() if lines else 'git says nothing'}"
    )


def _revision(repository: Repository, name: str) -> str:
    return repository.run("rev-parse", "--verify", "--quiet", name).stdout.strip()


def _is_ancestor(repository: Repository, one: str, other: str) -> bool:
    return repository.run("merge-base", "--is-ancestor", one, other).returncode == 0
