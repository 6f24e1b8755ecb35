"""A model is named by its folder, or by its name where the tree is the usual one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from llmops.cli import main
from tests.cards.tree import ROOT

WORDS = {
    "plan": ("plan", "MODEL", "--env", "dev"),
    "check": ("check", "--models", "MODEL", "--env", "dev"),
    "fit": ("fit", "--models", "MODEL", "--env", "dev"),
    "gate": ("model", "gate", "MODEL", "--env", "dev"),
}


@pytest.mark.real
@pytest.mark.parametrize("command", WORDS)
def test_a_name_says_what_the_folder_says(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    by_name, by_folder = (
        CliRunner().invoke(main, [model if one == "MODEL" else one for one in WORDS[command]])
        for model in ("qwen3-8b", "values/models/qwen3-8b")
    )
    assert by_name.output == by_folder.output
    assert "qwen3-8b" in by_name.output or "1 release" in by_name.output
