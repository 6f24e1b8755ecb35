"""The image of the real engine from a small stand-in for its build: what is in it, and that it is written once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.images import vllm
from lab.releases.real_engine import PINNED
from lab.vllm.build import OVERLAY, Built
from lab.vllm.start import half
from tests.lab.cluster.test_images import read

pytestmark = pytest.mark.real


@pytest.fixture
def built(tmp_path: Path) -> Built:
    folder = tmp_path / "build"
    for name in ("site/torch/lib.txt", f"versions/{OVERLAY}/vllm/__init__.py", "model/config.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("", encoding="utf-8")
    kernel = folder / f"versions/{OVERLAY}/vllm/_C.txt"
    kernel.symlink_to("../../../site/torch/lib.txt")
    # Its owner alone may read the weights of a build; in the image everybody may.
    (folder / "model/model.safetensors").write_bytes(b"weights")
    (folder / "model/model.safetensors").chmod(0o600)
    return Built(folder, "float32")


def test_it_is_called_like_the_official_one_and_holds_engine_and_model(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm, "cache", lambda: tmp_path)
    archive = vllm.vllm_image(built)
    config, layer = read(archive)
    assert config["tags"] == ["llm-charts.local/vllm-cpu:v0.33.0"]
    assert config["Entrypoint"][-1] == "serve"
    assert config["User"] == "2000:0"
    variables = dict(each.split("=", 1) for each in config["Env"])
    assert variables["PYTHONPATH"].split(":") == [f"/opt/vllm/versions/{OVERLAY}", "/opt/vllm/site"]
    assert layer.getmember("opt/vllm/model/model.safetensors").mode & 0o004
    link = layer.getmember(f"opt/vllm/versions/{OVERLAY}/vllm/_C.txt")
    assert layer.getmember(os.path.normpath(f"{link.name}/../{link.linkname}")).isfile()

    assert {"bin/sh", "bin/lscpu"} <= set(layer.getnames())

    before = archive.stat().st_mtime_ns
    assert vllm.vllm_image(built) == archive
    assert archive.stat().st_mtime_ns == before


def test_versions_take_turns_on_the_processors() -> None:
    shown = "import os; print(sorted(os.sched_getaffinity(0)))"
    for number in (0, 1):
        command = [sys.executable, "-c", PINNED, str(number), sys.executable, "-c", shown]
        assert subprocess.check_output(command, text=True).strip() == str(half(number))
    assert set(half(0)) | set(half(1)) == os.sched_getaffinity(0)
