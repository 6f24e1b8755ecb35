"""Runs a program in an image's file system, without a container engine."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def unpack(layer: tarfile.TarFile, folder: Path) -> Path:
    """The layer's files under `folder`, with their permissions."""
    for member in layer:
        layer.extract(member, folder, filter="tar")
    return folder


def run(
    root: Path, config: Mapping[str, Any], arguments: Sequence[str], user: str = ""
) -> subprocess.CompletedProcess[str]:
    """Entry point with arguments, as the image's user (or UID:GID) in its environment; no network, no other file.

    Only root may change its root folder and user. Anybody else gets the image's own interpreter and libraries through
    the image's own loader, as himself and with the network: it shows that all is there, not that the user may read it.
    """
    uid, gid = (user or config["User"]).split(":")
    environment = dict(each.split("=", 1) for each in config["Env"])
    words = [*config["Entrypoint"], *arguments]
    if os.geteuid() == 0:
        inside = ["unshare", "--mount", "--net", "--pid", "--fork"]
        place = ["--root", str(root), "--wd", config["WorkingDir"], "--setuid", uid, "--setgid", gid]
        return _call([*inside, *place, *words], environment)
    environment["PYTHONHOME"] = str(root / "usr/local")
    return _call([*_loader(root), str(root / "usr/local/bin" / words[0]), *words[1:]], environment)


def _loader(root: Path) -> list[str]:
    loader = next(file for file in sorted(root.rglob("ld-linux*")) if file.is_file())
    modules = root / "usr/local/lib"
    folders = sorted({str(file.parent) for file in root.rglob("*.so*") if not file.is_relative_to(modules)})
    return [str(loader), "--library-path", ":".join(folders)]


def _call(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
