"""tools/setup.py: with which Go a pinned module is built."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
NEWER = "module m\n\ngo 1.26.10\n\ntoolchain go1.27.3\n"


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_tools", ROOT / "tools/setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("go_mod", "here", "taken"),
    [
        (NEWER, "go1.26.8", {"GOTOOLCHAIN": "go1.27.3"}),
        (NEWER, "go1.26.10", {}),
        (NEWER, "go1.27.3", {}),
        (NEWER, "go1.9", {"GOTOOLCHAIN": "go1.27.3"}),
        ("module m\n\ngo 1.26\n", "go1.26.8", {}),
        ("module m\n\ngo 1.30\n", "go1.26.8", {}),
    ],
)
def test_another_go_is_fetched_only_for_a_module_that_needs_it(
    setup: ModuleType, tmp_path: Path, go_mod: str, here: str, taken: dict[str, str]
) -> None:
    (tmp_path / "go.mod").write_text(go_mod)
    program = tmp_path / "go"
    program.write_text(f"#!/bin/sh\necho {here}\n")
    program.chmod(0o755)
    assert setup.toolchain(tmp_path, str(program)) == taken


def test_no_test_and_no_run_needs_another_go_than_the_live_cluster(setup: ModuleType) -> None:
    newer = {
        file.parent.name for file in (ROOT / "tools").glob("*/go.mod") if "\ntoolchain " in file.read_text()
    }
    assert newer <= set(setup.CLUSTER_FAMILIES) - set(setup.FAMILIES)
