"""The Git repository that holds a tree of values, by the program git. Commits are made beside the working tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops.findings import InputError, RefusedError

_RECORD, _FIELD = "\x1e", "\x1f"
# %aE and %aN follow .mailmap, so that one person with two addresses stays one.
_FORMAT = (
    _RECORD
    + _FIELD.join(
        (
            "%H",
            "%P",
            "%aE",
            "%aN",
            "%aI",
            "%s",
            "%b",
            "%(trailers:key=Co-authored-by,valueonly,separator=%x2C)",
        )
    )
    + _FIELD
)


@dataclass(frozen=True)
class Commit:
    """One commit that changed some of the files that were asked about; `files` are those, from the top of the tree."""

    id: str
    parents: tuple[str, ...]
    email: str
    author: str
    date: str
    subject: str
    body: str
    others: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def people(self) -> set[str]:
        """The addresses of all its authors, in small letters."""
        return {self.email.lower(), *self.others}

    def trailer(self, key: str) -> str:
        """The value of a line `Key: value` at the end of its message; empty without one."""
        lines = self.body.strip().splitlines()
        return next(
            (one.partition(": ")[2].strip() for one in reversed(lines) if one.startswith(f"{key}: ")), ""
        )


@dataclass(frozen=True)
class Signature:
    """Git's own verdict about a commit's signature: `good` only for one that its configuration trusts."""

    good: bool
    signer: str
    key: str


class Repository:
    """A working tree. Nothing here changes it but `advance`."""

    def __init__(self, inside: Path) -> None:
        """InputError where the folder is in no Git repository, or git is missing."""
        folder = inside if inside.is_dir() else inside.parent
        try:
            done = subprocess.run(  # noqa: S603
                ["git", "-C", str(folder), "rev-parse", "--show-toplevel"],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            raise InputError("there is no git on PATH; install it") from None
        if done.returncode:
            raise InputError("it is in no Git repository; versions are promoted by commits", str(inside))
        self.root = Path(done.stdout.strip())

    def run(
        self, *arguments: str, text: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """git with these arguments, in the tree; whatever its exit status. Never asks at the terminal."""
        quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        # ssh asks by a program instead, and where nobody chose one by one that answers nothing.
        quiet |= {"SSH_ASKPASS_REQUIRE": "force", "SSH_ASKPASS": os.environ.get("SSH_ASKPASS") or "false"}
        return subprocess.run(  # noqa: S603
            # Names as they are, not quoted.
            ["git", "-C", str(self.root), "-c", "core.quotePath=false", *arguments],  # noqa: S607
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env=os.environ | quiet | environment,
            check=False,
        )

    def out(self, *arguments: str, text: str | None = None, **environment: str) -> str:
        """What git prints; InputError with its last line where it fails."""
        done = self.run(*arguments, text=text, **environment)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise InputError(f"git {arguments[0]} failed: {said}", str(self.root))
        return done.stdout.strip()

    def inside(self, path: Path) -> str:
        """A path from the top of the tree, as git writes it."""
        try:
            return path.absolute().resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            raise InputError(f"it is not inside the Git tree {self.root}", str(path)) from None

    # Reading

    def head(self) -> str:
        done = self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if done.returncode:
            raise InputError("the repository has no commit yet; commit the tree first", str(self.root))
        return done.stdout.strip()

    def branch(self) -> str:
        """The branch that is checked out; RefusedError where it is none, since a commit there would be lost."""
        done = self.run("symbolic-ref", "--quiet", "--short", "HEAD")
        if done.returncode:
            raise RefusedError("HEAD is detached: no branch would hold the commit; `git switch` to one first")
        return done.stdout.strip()

    def require_clean(self) -> None:
        """RefusedError where something is not committed: the gate would judge files that no commit has."""
        changed = self.out("status", "--porcelain").splitlines()
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            name = changed[0][2:].strip()
            raise RefusedError(f"the working tree is not clean ({name}{more}); commit or stash it first")

    def require_identity(self) -> None:
        """RefusedError where git does not know who commits."""
        if self.run("var", "GIT_AUTHOR_IDENT").returncode:
            raise RefusedError(
                "git does not know who you are; set user.name and user.email with `git config`"
            )

    def history(self, paths: Sequence[str], revision: str = "HEAD") -> list[Commit]:
        """The commits up to a revision that changed any of the paths, newest first; children before parents."""
        done = self.run(
            "log",
            "--topo-order",
            "-c",
            "--name-only",
            "--no-renames",
            f"--format={_FORMAT}",
            revision,
            "--",
            *paths,
        )
        if done.returncode:
            raise InputError(f"there is no revision {revision!r}", str(self.root))
        return [_commit(record) for record in done.stdout.split(_RECORD)[1:]]

    def blobs(self, names: Iterable[str]) -> list[str | None]:
        """The texts of REVISION:PATH in one process; None for one that is not there."""
        asked = list(names)
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(self.root), "cat-file", "--batch"],  # noqa: S607
            input="".join(f"{name}\n" for name in asked).encode(),
            capture_output=True,
            check=True,
        )
        found: list[str | None] = []
        rest = done.stdout
        for _ in asked:
            line, _, rest = rest.partition(b"\n")
            if line.endswith((b" missing", b" ambiguous")):
                found.append(None)
                continue
            size = int(line.rsplit(b" ", 1)[1])
            found.append(rest[:size].decode(errors="replace"))
            rest = rest[size + 1 :]
        return found

    def signature(self, commit: str) -> Signature:
        fields = self.out("show", "-s", "--format=%G?%x1f%GS%x1f%GF", commit).split(_FIELD)
        status, signer, key = (*fields, "", "", "")[:3]
        return Signature(status == "G", signer, key)

    # Writing

    def commit(self, parent: str, path: str, text: str, message: str) -> str:
        """A commit that changes one file; it is in no branch yet, and the working tree does not know of it."""
        blob = self.out("hash-object", "-w", "--stdin", text=text)
        index = self.root / self.out("rev-parse", "--git-path", f"llmops-{os.getpid()}.index")
        own = {"GIT_INDEX_FILE": str(index)}
        try:
            self.out("read-tree", parent, **own)
            self.out("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", **own)
            tree = self.out("write-tree", **own)
        finally:
            index.unlink(missing_ok=True)
        # commit-tree alone does not follow the setting.
        signed = ["-S"] if self.run("config", "--bool", "commit.gpgsign").stdout.strip() == "true" else []
        return self.out("commit-tree", *signed, tree, "-p", parent, text=message)

    def advance(self, branch: str, commit: str) -> None:
        """Puts the branch that is checked out, and its files, one commit ahead."""
        done = self.run("merge", "--ff-only", "--quiet", commit)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise RefusedError(f"branch {branch} did not take the commit: {said}")

    def tag(self, name: str, commit: str, message: str) -> None:
        self.out("tag", "--annotate", "--file=-", name, commit, text=message)


def _commit(record: str) -> Commit:
    *fields, files = record.split(_FIELD)
    identity, parents, email, author, date, subject, body, others = fields
    addresses = tuple(
        part.partition("<")[2].partition(">")[0].lower() for part in others.split(",") if "<" in part
    )
    names = tuple(line for line in files.strip().splitlines() if line)
    return Commit(identity, tuple(parents.split()), email, author, date, subject, body, addresses, names)
