"""A model's files put before the gate: as they stand, as a promotion would leave them, or as a commit had them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from llmops.cards import card, gate, limits, release_file, results, tree
from llmops.cards.approvals import UNKNOWN, Approver, Reviews, approver
from llmops.cards.gate import Case, Check, Verdict
from llmops.diff.sides import unpack
from llmops.findings import InputError
from llmops.git.repository import Commit, Repository
from llmops.render.manifest import values_of
from llmops.untyped import below, text


@dataclass(frozen=True)
class Judge:
    """Asks the gate. `repository` is None for a folder outside of Git, where nobody can be known to have approved.

    `root` holds the files of `revision`; it is the working tree unless it is a copy of an older commit.
    """

    today: date
    repository: Repository | None = None
    reviews: Reviews | None = None
    revision: str = "HEAD"
    root: Path | None = None

    def verdict(
        self, model: Path, env: str, *, proposed: dict[str, Any] | None = None, stable: str = ""
    ) -> Verdict:
        """The verdict of the release as its files stand, or as `proposed` values of release.yaml would make it.

        `stable` is the version that the environment runs now. InputError where a file cannot be read.
        """
        name = model.absolute().name
        running = tree.running(model, env, proposed)
        if not running.version:
            missing = Check("version", False, "release.yaml names no version; promote one")
            return Verdict(name, env, "", "", (missing,))
        folder = model / "versions" / running.version
        if not (folder / card.CARD).exists():
            known = ", ".join(card.versions(model)) or "none"
            sentence = f"version {running.version} has no card; versions with one: {known}"
            return Verdict(name, env, running.version, "", (Check("card", False, sentence),))
        found = card.read(folder)
        bounds = limits.read(model, env)
        who = self._approver(found, env) if bounds.second_person else None
        ran = self._ran(model, bounds.after, found.digest) if bounds.after else None
        before = results.read(model / "versions" / stable) if stable and stable != running.version else None
        case = Case(env, running, found, results.read(folder), bounds, self.today, who, ran, before)
        return gate.judge(case)

    def of_version(self, model: Path, env: str, version: str) -> Verdict:
        """The verdict of a version as its promotion would leave the release; the image is the one it was measured on.

        InputError where the version has no folder.
        """
        if version not in (known := card.versions(model)):
            there = ", ".join(known) or "none"
            raise InputError(f"no version {version!r}; there are {there}", str(model / "versions"))
        current = tree.running(model, env)
        found = card.read(model / "versions" / version)
        measured = results.read(found.folder)
        image = measured.image_digest if measured else ""
        proposed = release_file.changes(found, image, current, tree.running(model, env, {}))
        return self.verdict(model, env, proposed=proposed, stable=current.version)

    def judged_at(self, commit: Commit, model: Path, env: str) -> Verdict:
        """The verdict as it was at a commit, on the day of that commit.

        A second person whom only the forge knew is taken from the commit's own record: no forge answers for ever.
        """
        if self.repository is None:
            raise InputError("there is no Git repository to ask", str(model))
        with tempfile.TemporaryDirectory(prefix="llmops-") as name:
            folder = Path(name)
            inside = self.repository.inside(model)
            values = inside.partition("/models/")[0] if "/models/" in inside else inside
            unpack(self.repository.root, commit.id, folder, [values])
            day = datetime.fromisoformat(commit.date).date()
            then = replace(self, today=day, revision=commit.id, root=folder)
            verdict = then.verdict(folder / inside, env)
        if commit.trailer("Gate") != "passed":
            return verdict
        checks = tuple(
            replace(one, passed=None) if one.name == "approval" and UNKNOWN in one.sentence else one
            for one in verdict.checks
        )
        return replace(verdict, checks=checks)

    def _ran(self, model: Path, env: str, digest: str) -> bool:
        """Whether a card ever stood in an environment's release.yaml: today's, or that of a commit up to `revision`."""
        file = model / "envs" / env / tree.RELEASE
        if file.is_file() and _card_digest(file.read_text(encoding="utf-8")) == digest:
            return True
        if self.repository is None:
            return False
        path = self._path(file)
        commits = self.repository.history([path], self.revision)
        texts = self.repository.blobs(f"{one.id}:{path}" for one in commits)
        return any(_card_digest(one) == digest for one in texts if one)

    def _path(self, file: Path) -> str:
        """A path from the top of the repository, also of a file of a copy of an older commit."""
        if self.root is not None:
            return file.relative_to(self.root).as_posix()
        return self.repository.inside(file) if self.repository else str(file)

    def _approver(self, found: card.Card, env: str) -> Approver:
        if self.repository is None:
            message = (
                f"{env} wants a second person's approval, and only Git knows who approved; commit the model"
            )
            raise InputError(message, str(found.folder))
        return approver(self.repository, found, self._path(found.folder), self.reviews, self.revision)


def _card_digest(release: str) -> str:
    """What a release.yaml says; empty where it says nothing, or was no YAML once."""
    try:
        values = values_of(release, Path(tree.RELEASE)).data
    except InputError:
        return ""
    return text(below(values, ("global", "llm", "release", "cardDigest")))
