"""What `up` refuses before it starts anything."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.cluster import ClusterError
from lab.cluster.layout import Layout
from lab.cluster.lifecycle import _check_room
from lab.cluster.namespaces import run


def test_a_full_disk_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "not/yet/there")
    _check_room(layout)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=12 << 20))
    with pytest.raises(
        ClusterError, match="has 12 MB free and a cluster needs 1024; make room, or name another"
    ):
        _check_room(layout)


def test_a_command_that_takes_too_long_is_a_sentence() -> None:
    with pytest.raises(ClusterError, match=r"^sleep 60 took longer than 0 s$"):
        run(["sleep", "60"], seconds=0.01)
