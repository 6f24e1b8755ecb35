"""The image of images/Dockerfile without a container engine: this machine's Python in the place of the base image.

All else is as the Dockerfile says: the wheel of the files that it copies, the locked packages, the image's settings.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from packaging.markers import Marker

from lab import ROOT, cache
from lab.cluster.images import Image, Link, python_image, shared_libraries, write_image
from lab.images.dockerfile import Stage, parse

DOCKERFILE = ROOT / "images/Dockerfile"
LOCK = ROOT / "requirements/jobs.txt"
REF, GIT_REF = "llm-charts.local/llmops:dev", "llm-charts.local/llmops-git:dev"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def llmops_image(folder: Path | None = None) -> Path:
    """Path of a docker-archive of REF; written once per content, into the cache if no folder is named."""
    return write_image(image(), folder or cache() / "images")


def images(folder: Path) -> dict[str, Path]:
    """Name -> docker-archive of both images; the second holds this machine's git too. FileNotFoundError without git."""
    made = image()
    both = (made, replace(made, ref=GIT_REF, files={**made.files, **git()}))
    return {one.ref: write_image(one, folder) for one in both}


def git() -> dict[str, Path | bytes | Link]:
    """The program git, what it speaks HTTP by, and the libraries of both; other commands are inside of the program."""
    program = shutil.which("git")
    if not program:
        raise FileNotFoundError("git")
    place = subprocess.run(
        [program, "--exec-path"], capture_output=True, text=True, check=True
    ).stdout.strip()
    programs = [Path(program), Path(place, "git-remote-http")]
    files: dict[str, Path | bytes | Link] = {
        str(each): each.resolve() for each in (*programs, *shared_libraries(programs))
    }
    files |= {f"{place}/git": Link(program), f"{place}/git-remote-https": Link("git-remote-http")}
    return files | ({str(CERTIFICATES): CERTIFICATES} if CERTIFICATES.exists() else {})


def image() -> Image:
    """ModuleNotFoundError when a locked package is not installed here in its locked version."""
    build, final = parse(DOCKERFILE.read_text(encoding="utf-8"))
    library = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    files: dict[str, Path | bytes | Link] = {library: unpacked(wheel(build))}
    for name, version in locked().items():
        files |= {f"{library}/{place}": source for place, source in distribution(name, version).items()}
    made = python_image(REF, files=files)
    return replace(
        made,
        entrypoint=final.entrypoint,
        command=final.command,
        user=final.user,
        workdir=final.workdir,
        labels=final.labels,
        env={**made.env, **final.env},
    )


def locked() -> dict[str, str]:
    """Distribution -> version that every job image holds. A line may be for some versions of Python only."""
    lines = re.findall(
        r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\$", LOCK.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: version for name, version, marker in lines if not marker or Marker(marker).evaluate()}


def distribution(name: str, version: str) -> dict[str, Path]:
    """Path under site-packages -> file here, metadata included and programs left out."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise ModuleNotFoundError(f"{name} {version} is not installed here; run `make setup`") from None
    if found.version != version:
        raise ModuleNotFoundError(
            f"{name} {found.version} is installed here and {version} is locked; run `make setup`"
        )
    places = [str(each) for each in found.files or ()]
    # RECORD names what was compiled and installed on this machine.
    kept = [each for each in places if not re.search(r"^\.\.|__pycache__|/RECORD$|/REQUESTED$", each)]
    return {each: Path(str(found.locate_file(each))) for each in kept}


def wheel(build: Stage) -> bytes:
    """This project's wheel, built without network of the files that the stage copies from the tree, and no other."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        for copy in build.copies:
            for source in copy.sources:
                # A folder's content goes to the target; a file goes into a target that ends in a slash.
                target = tree / copy.target / (Path(source).name if copy.target.endswith("/") else "")
                target.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copyfile(ROOT / source, target)
        hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch]
        done = subprocess.run(hatchling, cwd=tree, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"no wheel from the files that {DOCKERFILE} copies: {done.stderr[-500:]}")
        (made,) = Path(scratch).glob("*.whl")
        return made.read_bytes()


def unpacked(archive: bytes) -> Path:
    """The wheel's files as pip would lay them into site-packages; in the cache, once per content."""
    folder = cache() / "wheels" / hashlib.sha256(archive).hexdigest()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            file = Path(scratch) / "one.whl"
            file.write_bytes(archive)
            zipfile.ZipFile(file).extractall(Path(scratch) / "content")
            # Somebody else may be faster; the content is the same.
            try:
                (Path(scratch) / "content").rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    return folder
