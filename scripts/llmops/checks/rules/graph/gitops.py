"""Argo CD Applications of this repository: do the paths and files exist that they name?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.references import mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_APPLICATION = ("argoproj.io", "Application")
_REMOTE = re.compile(r"^\s*url\s*=\s*(\S+)\s*$", re.M)
_HERE = ("", "HEAD", "main", "master")


@rule(
    "LG113",
    severity=ERROR,
    fix="Name a path and files of the repository; valueFiles are relative to the path.",
)
def application_path_missing(release: Release) -> Iterator[Finding]:
    """An Application whose path or value file is not in the repository stays in an error and syncs nothing.

    Judged are Applications whose repoURL is a remote of the repository that the chart or the manifest stands in.
    """
    root = _repository(release)
    if root is None:
        return
    remotes = {_plain(url) for url in _REMOTE.findall(_config(root))} | {_plain(f"file://{root}")}
    for app in graph(release).of_kind(_APPLICATION):
        sources = [*walk(app.data, "/spec/source"), *walk(app.data, "/spec/sources/*")]
        refs = {text(mapping(one).get("ref")): one for _, one in sources if mapping(one).get("ref")}
        for pointer, source in sources:
            yield from _missing(app, pointer, mapping(source), refs, root, remotes)


def _missing(
    app: Object, pointer: str, source: dict[str, Any], refs: dict[str, Any], root: Path, remotes: set[str]
) -> Iterator[Finding]:
    ours = _ours(source, remotes)
    path = text(source.get("path"))
    if ours and path and not _exists(root, path):
        yield defect(app, f"{pointer}/path", f"the repository {root.name} has no {path}.")
        return
    helm = mapping(source.get("helm"))
    if helm.get("ignoreMissingValueFiles"):
        return
    for index, name in enumerate(sequence(helm.get("valueFiles"))):
        file = text(name)
        if file.startswith("$"):
            ref, _, file = file[1:].partition("/")
            held, base = _ours(mapping(refs.get(ref)), remotes), ""
        else:
            held, base = ours and bool(path), "" if file.startswith("/") else path
        if held and file and "://" not in file and not _exists(root, f"{base}/{file}"):
            where = f"{base}/{file}".lstrip("/")
            yield defect(
                app, f"{pointer}/helm/valueFiles/{index}", f"the repository {root.name} has no {where}."
            )


def _ours(source: dict[str, Any], remotes: set[str]) -> bool:
    return text(source.get("targetRevision")) in _HERE and _plain(text(source.get("repoURL"))) in remotes


def _exists(root: Path, path: str) -> bool:
    """Whether a path stands in the repository; one with placeholders or patterns may."""
    return bool(re.search(r"[{}*?\[$]", path)) or (root / path.lstrip("/")).exists()


def _repository(release: Release) -> Path | None:
    """The folder with .git above the release's chart, or above the file of its manifests."""
    places = [release.inputs.chart] if release.inputs else [Path(one) for one in release.templates]
    for place in places:
        for folder in place.absolute().parents:
            if (folder / ".git").exists():
                return folder
    return None


def _config(root: Path) -> str:
    try:
        return (root / ".git" / "config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _plain(url: str) -> str:
    """A repository's address without protocol, user and .git: HTTPS and SSH of one repository are the same."""
    bare = re.sub(r"^(?:\w+://)?(?:[^@/]+@)?", "", url.strip()).removesuffix("/").removesuffix(".git")
    return bare.replace(":", "/", 1).lower() if bare else ""
