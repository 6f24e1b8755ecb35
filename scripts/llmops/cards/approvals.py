"""Who wrote a card and who approved it, by the commits that did: what a file says of itself proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from llmops.cards.card import APPROVAL, CARD, OF_APPROVAL, RESULTS, Card, digest
from llmops.git.forges import Review
from llmops.git.repository import Commit, Repository
from llmops.untyped import mapping

UNKNOWN = "carries no signature that git trusts"


@dataclass(frozen=True)
class Approver:
    """Whether another person than the card's authors approved it (None: nothing tells), and by what that is known."""

    independent: bool | None
    sentence: str


class Reviews(Protocol):
    """A forge that knows reviews."""

    def review(self, commit: str) -> Review | None:
        """The merged change that brought a commit; None where there was none."""


def approver(
    repository: Repository, card: Card, folder: str, reviews: Reviews | None = None, revision: str = "HEAD"
) -> Approver:
    """Who approved the card as it stands at a revision; `folder` is the card's, from the top of the repository.

    A signature that git trusts tells it; else the review of the change that brought the approval, where a forge can
    be asked. An address in a commit alone is what its writer chose.
    """
    if card.approval.status != "approved":
        return Approver(False, f"nobody approved it: its status is {card.approval.status}")
    paths = [f"{folder}/{name}" for name in (CARD, APPROVAL, RESULTS)]
    history = repository.history(paths, revision)
    content, approval = _changes(repository, history, paths)
    if not approval:
        return Approver(False, "no commit holds its approval; commit it first")
    if content and history.index(content[0]) < history.index(approval[0]):
        return Approver(False, f"it was changed by {content[0].id[:12]} after its approval; approve it again")
    authors = {person for commit in content for person in commit.people}
    given = approval[0]
    signature = repository.signature(given.id)
    if signature.good:
        return _signed(card, given, signature.signer, authors)
    if reviews is None:
        sentence = f"who approved it is not known: commit {given.id[:12]} {UNKNOWN}; sign it"
        return Approver(None, f"{sentence}, or name the forge with --forge so that its review is asked")
    return _reviewed(reviews.review(given.id), given)


def _signed(card: Card, given: Commit, signer: str, authors: set[str]) -> Approver:
    person = _address(signer)
    if person != card.approval.by.lower():
        sentence = f"approvedBy is {card.approval.by}, but {person} signed the approval {given.id[:12]}"
        return Approver(False, sentence)
    if person in authors:
        return Approver(False, f"{person} wrote the card and approved it too; somebody else has to approve")
    return Approver(True, f"approved by {person} (signed commit {given.id[:12]}), not an author of the card")


def _reviewed(found: Review | None, given: Commit) -> Approver:
    if found is None:
        return Approver(
            False, f"the forge knows no merged change with the approval {given.id[:12]}; make it by one"
        )
    others = [one for one in found.approvers if one != found.author]
    if not others:
        who = "nobody approved" if not found.approvers else f"{found.author} alone approved"
        return Approver(
            False, f"{who} the change that brought the approval ({found.url}); somebody else has to"
        )
    return Approver(
        True, f"approved by {others[0]} (review of {found.url}), not by its author {found.author}"
    )


def _address(signer: str) -> str:
    """The address of a signer, which OpenPGP writes as `Name <address>` and SSH as the address alone."""
    return (signer.partition("<")[2].partition(">")[0] or signer).strip().lower()


def _changes(
    repository: Repository, history: Sequence[Commit], paths: Sequence[str]
) -> tuple[list[Commit], list[Commit]]:
    """The commits that changed what the card says or its figures, and those that changed its approval; newest first.

    Both may be one: whoever writes an approved card has approved it.
    """
    card, approval, results = paths
    names = [
        f"{revision}:{path}"
        for one in history
        for revision in (one.id, *one.parents)
        for path in (card, approval)
    ]
    texts = dict(zip(names, repository.blobs(names), strict=True))
    content: list[Commit] = []
    approvals: list[Commit] = []
    for commit in history:
        states = [
            (_read(texts[f"{revision}:{card}"]), texts[f"{revision}:{approval}"])
            for revision in (commit.id, *commit.parents)
        ]
        (now, beside), before = states[0], states[1:]
        if results in commit.files or all(digest(now) != digest(old) for old, _ in before):
            content.append(commit)
        stated = [now.get(key) for key in OF_APPROVAL]
        if all((stated, beside) != ([old.get(key) for key in OF_APPROVAL], was) for old, was in before):
            approvals.append(commit)
    return content, approvals


def _read(text: str | None) -> dict[str, Any]:
    """A card of the past, as far as it can be read: who spoilt it has changed it."""
    try:
        return mapping(yaml.load(text, yaml.BaseLoader)) if text else {}  # noqa: S506 it makes no objects but texts
    except yaml.YAMLError:
        return {"unreadable": text}
