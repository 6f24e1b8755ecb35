"""Promotion and rollback: one commit that changes one release.yaml, made only when everything before it held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmops.cards import card, release_file, results, tree
from llmops.cards.gate import Verdict, short
from llmops.cards.judge import Judge
from llmops.findings import InputError, RefusedError
from llmops.git.delivery import Move
from llmops.git.repository import Commit, Repository
from llmops.render.manifest import values_of
from llmops.untyped import below, text

Describe = Callable[[str, str], str]
"""What a change costs, in Markdown: of two revisions of the whole tree."""


def promotion(
    judge: Judge, model: Path, target: str, describe: Describe, *, source: str = "", version: str = ""
) -> Move:
    """The promotion of what runs in environment `source`, or of a version's card, to environment `target`.

    RefusedError, in one sentence, where the gate or the repository says no; InputError for what cannot be read.
    Nothing is changed: the commit is in no branch yet.
    """
    repository, branch = _ready(judge)
    name = model.absolute().name
    current = tree.running(model, target)
    card_of, image = _promoted(model, source, version)
    values = release_file.changes(card_of, image, current, tree.running(model, target, {}))
    file = tree.release_file(model, target)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = release_file.edited(before, values, file)
    if _values(before) == _values(after):
        raise RefusedError(
            f"{name} {target} runs version {card_of.version} already; there is nothing to promote"
        )
    verdict = judge.verdict(model, target, proposed=_values(after), stable=current.version)
    if not verdict.passed:
        raise RefusedError(refusal(verdict))
    tag = _tag(repository, name, card_of)
    move = Move(
        repository,
        branch,
        repository.head(),
        "",
        f"{name} {target}: {current.version or 'nothing'} to {card_of.version}",
        "",
        repository.inside(file),
        tag,
        f"{name} {card_of.version}\n\nCard: {card_of.digest}\n",
    )
    return _made(
        move,
        after,
        describe,
        _gate_lines(verdict),
        [
            ("Model", name),
            ("Environment", target),
            ("Version", card_of.version),
            ("Card", card_of.digest),
            ("Gate", "passed"),
        ],
    )


def rollback(
    judge: Judge,
    model: Path,
    env: str,
    reason: str,
    describe: Describe,
    *,
    to: str = "",
    commit: str = "",
    ungated: bool = False,
) -> Move:
    """The newest change of an environment taken back exactly, or the newest state that ran version `to` restored.

    With `commit` only if that commit is still the newest change: a later one is somebody else's. RefusedError where
    there is nothing to go back to, or where what stood there never passed its gate, unless `ungated`.
    """
    if not reason.strip():
        raise InputError("say why with --reason TEXT; it stands in the commit")
    repository, branch = _ready(judge)
    name = model.absolute().name
    path = repository.inside(tree.release_file(model, env))
    history = repository.history([path])
    if not history:
        raise RefusedError(f"no commit ever changed {path}; there is nothing to roll back")
    newest = history[0]
    if commit and not newest.id.startswith(commit):
        sentence = f"{path} was changed by {newest.id[:12]} ({newest.author}) after {commit[:12]}"
        raise RefusedError(f"{sentence}; that later commit is not taken back")
    restored_from = (
        _earlier(repository, history, path, to) if to else newest.parents[0] if newest.parents else ""
    )
    (before,) = repository.blobs([f"{restored_from}:{path}"]) if restored_from else [None]
    if before is None:
        raise RefusedError(
            f"{newest.id[:12]} was the first release of {name} in {env}; there is none before it"
        )
    was = _values(before)
    version = text(below(was, ("global", "llm", "release", "version")))
    if not ungated:
        try:
            gated(judge, model, env, before)
        except RefusedError as error:
            raise RefusedError(f"{error.message}; name --ungated to go back all the same") from None
    now = tree.running(model, env)
    subject = f"{name} {env}: back from {now.version or 'nothing'} to {version or 'nothing'}"
    exact = f"This reverts commit {newest.id}." if not to else f"release.yaml is again as in {restored_from}."
    move = Move(repository, branch, repository.head(), "", subject, "", path)
    return _made(
        move,
        before,
        describe,
        [exact, "", f"Reason: {' '.join(reason.split())}"],
        [
            ("Model", name),
            ("Environment", env),
            ("Version", version),
            ("Rollback-Of", newest.id),
        ],
    )


def land(move: Move) -> None:
    """Puts the commit on the branch that is checked out, and the tag beside it."""
    move.repository.advance(move.branch, move.commit)
    if move.tag:
        move.repository.tag(move.tag, move.parent, move.tag_message)


def refusal(verdict: Verdict) -> str:
    """Why the gate said no, in one sentence."""
    where = f"{verdict.model} {verdict.version or '(no version)'} may not run in {verdict.environment}"
    return f"{where}: {'; '.join(verdict.reasons)}"


def _ready(judge: Judge) -> tuple[Repository, str]:
    if judge.repository is None:
        raise InputError("a promotion is a commit; there is no Git repository here")
    repository = judge.repository
    branch = repository.branch()
    repository.head()
    repository.require_identity()
    repository.require_clean()
    return repository, branch


def _promoted(model: Path, source: str, version: str) -> tuple[card.Card, str]:
    """The card that is promoted, and the digest of the image that goes with it: what runs there, or was measured."""
    if bool(source) == bool(version):
        raise InputError("say what to promote: --from ENV, or --version VERSION of a card")
    if source:
        runs = tree.running(model, source)
        if not runs.version or not runs.card_digest:
            raise RefusedError(
                f"{model.absolute().name} {source} runs no version with a card; promote one to {source} first"
            )
        found = card.read(model / "versions" / runs.version)
        if found.digest != runs.card_digest:
            stated = f"{source} runs card {short(runs.card_digest)} of version {found.version}"
            raise RefusedError(
                f"{stated}, and the card is {short(found.digest)} now; a card of a release never changes"
            )
        return found, runs.image_digest
    if version not in (known := card.versions(model)):
        raise InputError(
            f"no version {version!r}; there are {', '.join(known) or 'none'}", str(model / "versions")
        )
    found = card.read(model / "versions" / version)
    measured = results.read(found.folder)
    return found, measured.image_digest if measured else ""


def _tag(repository: Repository, model: str, found: card.Card) -> str:
    """The tag of a version, where it is not there yet. RefusedError where it names another card."""
    name = f"models/{model}/v{found.version}"
    path = repository.inside(found.file)
    if repository.run("rev-parse", "--verify", "--quiet", f"refs/tags/{name}").returncode:
        return name
    (tagged,) = repository.blobs([f"refs/tags/{name}^{{commit}}:{path}"])
    if tagged is None or card.digest(values_of(tagged, found.file).data) != found.digest:
        raise RefusedError(f"tag {name} holds another card of this version; a change is a new version")
    return ""


def _made(
    move: Move, content: str, describe: Describe, lines: list[str], trailers: list[tuple[str, str]]
) -> Move:
    """The commit itself, whose message says what it costs; that is known only once there is a commit to compare."""
    trial = move.repository.commit(move.parent, move.path, content, move.subject)
    body = "\n".join(
        [
            *lines,
            "",
            describe(move.parent, trial).strip(),
            "",
            *(f"{key}: {value}" for key, value in trailers),
        ]
    )
    made = move.repository.commit(move.parent, move.path, content, f"{move.subject}\n\n{body}\n")
    return replace(move, commit=made, body=body)


def _gate_lines(verdict: Verdict) -> list[str]:
    marks = {True: "passed", False: "failed", None: "not decided"}
    return ["Gate:", *(f"- {one.name}: {marks[one.passed]}, {one.sentence}" for one in verdict.checks)]


def _earlier(repository: Repository, history: list[Commit], path: str, version: str) -> str:
    texts = repository.blobs(f"{one.id}:{path}" for one in history)
    for one, content in list(zip(history, texts, strict=True))[1:]:
        if content and below(_values(content), ("global", "llm", "release", "version")) == version:
            return one.id
    raise RefusedError(
        f"{path} never held version {version!r} before; `llmops model audit` lists what it held"
    )


def gated(judge: Judge, model: Path, env: str, content: str | None = None, revision: str = "HEAD") -> Commit:
    """The commit up to a revision that brought this release.yaml, by default the one that stands there, and passed.

    RefusedError where no promotion brought it, or where its commit does not pass when it is judged again.
    """
    if judge.repository is None:
        raise RefusedError("there is no Git repository that knows what passed")
    file = tree.release_file(model, env)
    path = judge.repository.inside(file)
    content = file.read_text(encoding="utf-8") if content is None else content
    history = judge.repository.history([path], revision)
    texts = judge.repository.blobs(f"{one.id}:{path}" for one in history)
    brought = [one for one, held in zip(history, texts, strict=True) if held == content]
    version = text(below(_values(content), ("global", "llm", "release", "version"))) or "(none)"
    found = next((one for one in brought if one.trailer("Gate") == "passed"), None)
    if found is None:
        raise RefusedError(f"version {version} came there without passing its gate")
    verdict = judge.judged_at(found, model, env)
    if not verdict.passed:
        raise RefusedError(f"{found.id[:12]} says that its gate passed, but {refusal(verdict)}")
    return found


def _values(content: str) -> dict[str, Any]:
    """Values of a release.yaml; {} where it is none."""
    try:
        return values_of(content, Path(tree.RELEASE)).data
    except InputError:
        return {}
