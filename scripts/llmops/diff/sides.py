"""The two sides of a comparison: manifests, charts with values, or revisions of the tree that holds the models."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmops import release
from llmops.checks.refusals import taken
from llmops.findings import InputError, RefusedError
from llmops.release import Inputs, Release
from llmops.render import Renderer, Target
from llmops.render.manifest import parse

Key = tuple[str, str]


@dataclass(frozen=True)
class Side:
    """BASE or HEAD: what to name it by, and its releases by (name, environment); `failed` are those without objects."""

    title: str
    releases: dict[Key, Release]
    failed: dict[Key, InputError | RefusedError] = field(default_factory=dict)


def manifests(role: str, where: str, text: str, target: Target) -> Side:
    """Anybody's manifests as the one release of a side; an empty text is a side without objects."""
    objects = parse(text, where)
    found = Release("", target.namespace, target.kube_version, objects, templates={where: text})
    return Side(f"{role} {where}", {("", ""): found})


def chart(role: str, where: Path, files: Sequence[Path], target: Target, renderer: Renderer) -> Side:
    """A chart, a folder or an archive, with values files."""
    inputs = Inputs(where, tuple(files), target)
    return Side(f"{role} {where}", {("", ""): _rendered(role, inputs, renderer)})


def revision(
    role: str, name: str, models: Path, chart: Path, env: str | None, version: str, renderer: Renderer
) -> Side:
    """Every release below `models` as a Git revision has it; '' is the working tree.

    A revision without that folder has no releases. InputError for an unknown revision.
    """
    if not name:
        return Side(f"{role} working tree", *_tree(role, models, chart, env, version, renderer))
    # The tree of the models, wherever the command was called; the folder itself may be in the revision alone.
    inside = ["-C", str(next(one for one in (models.absolute(), *models.absolute().parents) if one.is_dir()))]
    root = Path(
        _git([*inside, "rev-parse", "--show-toplevel"], "this is no Git tree; give two charts or two files")
    )
    commit = _git(
        [*inside, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"],
        f"there is no revision {name!r}; name a commit, a branch or a tag",
    )
    with tempfile.TemporaryDirectory(prefix="llmops-") as folder:
        unpack(root, commit, Path(folder))
        here = Path(folder, _inside(models, root))
        # Charts of another repository are the same on both sides.
        there = Path(folder, _inside(chart, root)) if _is_inside(chart, root) else chart
        found = _tree(role, here, there, env, version, renderer) if here.is_dir() else ({}, {})
        return Side(f"{role} {name}", *found)


def _tree(
    role: str, models: Path, chart: Path, env: str | None, version: str, renderer: Renderer
) -> tuple[dict[Key, Release], dict[Key, InputError | RefusedError]]:
    rendered: dict[Key, Release] = {}
    failed: dict[Key, InputError | RefusedError] = {}
    for one in release.discover(models, env=env, environments=None, chart=chart, kube_version=version):
        key = one.target.name, one.environment
        try:
            rendered[key] = _rendered(role, one, renderer)
        except (InputError, RefusedError) as error:
            failed[key] = error
    # Where nothing can be compared the sentence is all there is to say.
    if failed and not rendered:
        raise next(iter(failed.values()))
    return rendered, failed


def _rendered(role: str, inputs: Inputs, renderer: Renderer) -> Release:
    try:
        return taken(release.render(inputs, renderer))
    except RefusedError as error:
        where = " ".join(part for part in (inputs.target.name, inputs.environment) if part)
        raise RefusedError(f"{role} does not render ({where}): {error.message}") from None


def _is_inside(path: Path, root: Path) -> bool:
    return path.absolute().resolve().is_relative_to(root.resolve())


def _inside(path: Path, root: Path) -> Path:
    if not _is_inside(path, root):
        raise InputError(f"it is not inside the Git tree {root}", str(path))
    return path.absolute().resolve().relative_to(root.resolve())


def _git(arguments: list[str], otherwise: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError:
        raise InputError("there is no git on PATH; give two charts or two files") from None
    if done.returncode:
        raise InputError(otherwise)
    return done.stdout.strip()


def unpack(root: Path, commit: str, folder: Path, paths: Sequence[str] = ()) -> None:
    """The files of a commit, or those below paths. Nothing is checked out, so that tree and index stay as they are."""
    packed = subprocess.run(  # noqa: S603
        ["git", "-C", str(root), "archive", "--format=tar", commit, "--", *paths],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if packed.returncode:
        raise InputError(
            f"git archive {commit[:12]} failed: {packed.stderr.decode(errors='replace').strip()}"
        )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        if sys.version_info >= (3, 12) or hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:
            raise InputError("this Python cannot unpack safely; use 3.11.4 or newer")
