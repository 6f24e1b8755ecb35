"""Image archives, without a cluster."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.images import Image, Link, python_image, write_image


def read(archive: Path) -> tuple[dict[str, Any], tarfile.TarFile]:
    """The image's configuration and its one layer, after the digests were compared."""
    with tarfile.open(archive) as outer:
        content = {name: outer.extractfile(name).read() for name in outer.getnames()}  # type: ignore[union-attr]
    (manifest,) = json.loads(content["manifest.json"])
    config, (layer,) = content[manifest["Config"]], (content[name] for name in manifest["Layers"])
    parsed = json.loads(config)
    assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
    assert parsed["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    return {**parsed["config"], "tags": manifest["RepoTags"]}, tarfile.open(fileobj=io.BytesIO(layer))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "inner/__pycache__").mkdir(parents=True)
    (source / "inner/a.txt").write_text("a")
    (source / "inner/__pycache__/a.pyc").write_text("made by the way")
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o700)
    return source


def test_an_archive_holds_files_links_and_their_folders(folder: Path, tmp_path: Path) -> None:
    files: dict[str, Path | bytes | Link] = {
        "/opt/app": folder,
        "/bin/sh": Link("busybox"),
        "/etc/note": b"hello",
    }
    settings: dict[str, Any] = {
        "env": {"A": "b"},
        "command": ("now",),
        "workdir": "/opt",
        "labels": {"c": "d"},
    }
    image = Image("local/app:1", ("/opt/app/run",), files=files, **settings)
    config, layer = read(write_image(image, tmp_path / "out"))
    assert config["tags"] == ["local/app:1"]
    assert config["User"] == "2000:0"
    assert config["Entrypoint"] == ["/opt/app/run"]
    assert (config["Cmd"], config["WorkingDir"], config["Labels"]) == (["now"], "/opt", {"c": "d"})
    assert "A=b" in config["Env"]
    modes = {member.name: oct(member.mode) for member in layer if member.isfile()}
    assert modes == {
        "etc/group": "0o644",
        "etc/note": "0o644",
        "etc/passwd": "0o644",
        "opt/app/inner/a.txt": "0o644",
        "opt/app/run": "0o755",
    }
    assert layer.getmember("bin/sh").linkname == "busybox"
    assert layer.getmember("tmp").mode == 0o1777
    names = layer.getnames()
    for name in names:
        parent = str(Path(name).parent)
        assert parent == "." or names.index(parent) < names.index(name)


def test_the_same_content_is_written_once_and_other_content_elsewhere(folder: Path, tmp_path: Path) -> None:
    def image() -> Path:
        return write_image(Image("local/app:1", files={"/opt/app": folder}), tmp_path / "out")

    first = image()
    content, written = first.read_bytes(), first.stat().st_mtime_ns
    (folder / "run").touch()
    assert image() == first
    assert first.stat().st_mtime_ns == written
    assert (
        write_image(Image("local/app:1", files={"/opt/app": folder}), tmp_path / "again").read_bytes()
        == content
    )
    (folder / "inner/a.txt").write_text("b")
    assert image() != first


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_image(Image("local/app:1", files={"/a": tmp_path / "nowhere"}), tmp_path)


@pytest.mark.real
def test_a_python_image_holds_interpreter_libraries_packages_and_byte_code() -> None:
    image = python_image("local/python:1", packages=("yaml", "click"), files={"/srv/page": b"x"})
    assert image.entrypoint == ("python3",)
    assert isinstance(image.files["/usr/local/bin/python3"], Link)
    assert any(path.endswith("/site-packages/yaml") for path in image.files)
    assert any("/ld-linux" in path for path in image.files)
    assert any(path.endswith(".pyc") and "/yaml/__pycache__/" in path for path in image.files)
    assert not any(path.endswith(("/test", "/tkinter", "/idlelib")) for path in image.files)


@pytest.mark.real
def test_libraries_of_files_that_are_laid_in_come_along() -> None:
    extension = next(Path(str(yaml.__file__)).parent.glob("_yaml*.so"))
    laid_in = python_image("local/python:1", files={"/opt/_yaml.so": extension}).files
    words = subprocess.run(["ldd", str(extension)], capture_output=True, text=True, check=True).stdout
    needed = {line.split("=> ")[1].split()[0] for line in words.splitlines() if "=> /" in line}
    assert needed
    assert needed <= laid_in.keys()


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name is not installed"):
        python_image("local/python:1", packages=("nothing_of_that_name",))
