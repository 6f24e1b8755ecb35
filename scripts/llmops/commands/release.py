"""`llmops release set`: which commit of the weights and which image a release runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from llmops.commands.names import ENVIRONMENT, MODEL, MODELS
from llmops.commands.options import PATH
from llmops.commands.output import say, write_raw
from llmops.findings import InputError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@click.group()
def release() -> None:
    """Write what a release runs."""


@release.command("set")
@click.argument("model", type=MODEL)
@click.option("--env", "environment", type=ENVIRONMENT, required=True, help="Environment of the release.")
@click.option("--revision", default="", help="Commit of the weights, 40 hex digits.")
@click.option("--image-digest", default="", help="Digest of the engine's image, sha256: and 64 hex digits.")
@click.option("--models", type=PATH, default=MODELS, show_default=True, help="Folder of the models.")
def set_(model: str, environment: str, revision: str, image_digest: str, models: Path) -> None:
    """Write revision and image digest into release.yaml of MODEL; comments and all else stay.

    \b
    llmops release set qwen3-8b --env prod --revision 9c1b…29 --image-digest sha256:5d41…92
    """
    from llmops.cards import tree
    from llmops.cards.release_file import edited

    if not revision and not image_digest:
        raise InputError("nothing to write: give --revision COMMIT, --image-digest sha256:DIGEST or both")
    if revision and not _COMMIT.fullmatch(revision):
        raise InputError(
            f"--revision {revision} is no whole commit: branches, tags and short commits move or are not unique; "
            "write its 40 hex digits, which `git ls-remote https://huggingface.co/ORG/NAME` prints"
        )
    digest = image_digest.rpartition("@")[2]
    if digest and not _DIGEST.fullmatch(digest):
        raise InputError(
            f"--image-digest {image_digest} is no digest: write sha256: and 64 hex digits, which "
            "`docker buildx imagetools inspect IMAGE` prints"
        )
    folder = tree.model_folder(model, models)
    running = tree.running(folder, environment)
    values: dict[str, Any] = {}
    if revision:
        values["global"] = {"llm": {"model": {"revision": revision}}}
    if digest:
        values[f"{running.engine}-inference"] = {"image": {"digest": digest}}
    file = running.file
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    write_raw(file, edited(before, values, file))
    said = [f"revision {revision}"] * bool(revision) + [f"image {digest}"] * bool(digest)
    say(f"{file}: {', '.join(said)}")
    if running.card_digest:
        say(
            f"Its card {running.card_digest} approved what stood here before: "
            "promote the version, or take cardDigest out."
        )
    say(f"Next: llmops check --models {folder} --env {environment}")
