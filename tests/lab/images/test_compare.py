"""What the comparison of a built with the assembled image sees; on small archives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.images import Image, write_image
from lab.images.compare import content, differences

SITE = "/usr/local/lib/python3.11/site-packages"
SAME = Image(
    "local/a:1",
    ("python", "-m"),
    user="65532:65532",
    command=("llmops.jobs.drift",),
    files={f"{SITE}/llmops/a.py": b"a", f"{SITE}/llmops/b.py": b"b"},
    env={"A": "1", "PYTHONHOME": "/usr/local"},
    labels={"title": "x"},
)


def seen(tmp_path: Path, **changed: Any) -> list[str]:
    built = write_image(replace(SAME, **changed), tmp_path / "built")
    return differences(content(built), content(write_image(SAME, tmp_path / "assembled")))


def test_what_installers_the_base_and_an_engine_add_is_no_difference(tmp_path: Path) -> None:
    more = {
        f"{SITE}/{name}": b""
        for name in (
            "pip/main.py",
            "setuptools-79.0.1.dist-info/METADATA",
            "llm_charts-0.1.0.dist-info/RECORD",
            "llmops/__pycache__/a.cpython-311.pyc",
        )
    }
    files = {**SAME.files, **more, "/etc/os-release": b"debian"}
    labels = {"title": "x", "io.buildah.version": "1"}
    assert seen(tmp_path, ref="local/b:2", files=files, labels=labels, env={"A": "1", "LANG": "C"}) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"user": "0:0"}, "User: 0:0 was built, 65532:65532 was assembled"),
        ({"command": ()}, "Cmd: [] was built, ['llmops.jobs.drift'] was assembled"),
        ({"labels": {}}, "label title is not on the built image"),
        ({"env": {"A": "2"}}, "A=1 is not set in the built image"),
        ({"files": {f"{SITE}/llmops/a.py": b"a"}}, "llmops/b.py is only in the assembled image"),
        ({"files": {**SAME.files, f"{SITE}/jinja2/c.py": b""}}, "jinja2/c.py is only in the built image"),
        ({"files": {**SAME.files, f"{SITE}/llmops/a.py": b"other"}}, "llmops/a.py differs"),
    ],
)
def test_each_difference_is_named(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    assert seen(tmp_path, **changed) == [words]
