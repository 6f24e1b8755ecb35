"""Is an image that an engine built of images/Dockerfile the one that is assembled?

python -m lab.images.compare FILE, which `docker save` or `podman save` wrote. Exit status 1, and a line for each
difference.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.images.assemble import llmops_image

SETTINGS = ("Entrypoint", "Cmd", "User", "WorkingDir")
# What installers write about themselves.
NOTES = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
OF_THE_BASE = re.compile(
    r"^(pip|setuptools|wheel|_distutils_hack|distutils-precedence|pkg_resources)\b|^README.txt$"
)


@dataclass(frozen=True)
class Content:
    """`files`: path under site-packages -> (permissions, digest), without byte code and without the base's own."""

    config: dict[str, Any]
    files: dict[str, tuple[str, str]]


def content(archive: Path) -> Content:
    """Of a docker-archive. Layers are laid over each other; what a later one deletes is not looked for."""
    files = {}
    with tarfile.open(archive) as outer:
        (manifest,) = json.load(_member(outer, "manifest.json"))
        config = json.load(_member(outer, manifest["Config"]))["config"]
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=_member(outer, name)) as layer:
                for each in layer:
                    _, found, path = each.name.partition("/site-packages/")
                    if found and each.isfile() and not _left_out(path):
                        digest = hashlib.sha256(_member(layer, each.name).read()).hexdigest()
                        files[path] = (oct(each.mode & 0o777), digest)
    return Content(config, files)


def differences(built: Content, assembled: Content) -> list[str]:
    """One sentence each; empty when both run the same programs in the same way."""
    found = [
        f"{key}: {built.config.get(key)} was built, {assembled.config.get(key)} was assembled"
        for key in SETTINGS
        if built.config.get(key) != assembled.config.get(key)
    ]
    labels = assembled.config["Labels"].keys() - (built.config.get("Labels") or {}).keys()
    found += [f"label {label} is not on the built image" for label in sorted(labels)]
    # The assembled image has to be told where its Python is.
    env = {each for each in assembled.config["Env"] if not each.startswith(("PATH=", "PYTHONHOME="))}
    found += [f"{each} is not set in the built image" for each in sorted(env - set(built.config["Env"]))]
    found += [
        f"{path} is only in the assembled image"
        for path in sorted(assembled.files.keys() - built.files.keys())
    ]
    found += [
        f"{path} is only in the built image" for path in sorted(built.files.keys() - assembled.files.keys())
    ]
    both = sorted(built.files.keys() & assembled.files.keys())
    return found + [f"{path} differs" for path in both if built.files[path] != assembled.files[path]]


def _left_out(path: str) -> bool:
    return "__pycache__" in path or path.endswith(NOTES) or OF_THE_BASE.search(path) is not None


def _member(archive: tarfile.TarFile, name: str) -> Any:
    return archive.extractfile(name)


def main(file: str) -> int:
    assembled = content(llmops_image())
    found = differences(content(Path(file)), assembled)
    sys.stdout.write("".join(f"{each}\n" for each in found))
    if not found:
        sys.stdout.write(f"the same settings and the same {len(assembled.files)} files\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
