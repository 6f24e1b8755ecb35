"""What `model_signing verify` takes is read from its source as text: options that ways share, and their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from generate import signing

SHARED = """
_signature = click.option("--signature", type=str, required=True)
_ignored = click.option("--ignore-paths", multiple=True)
_git = click.option("--ignore-git-paths/--no-ignore-git-paths", default=True)
_other = print("--no-option")
@_sign.command(name="key")
@click.option("--private_key", required=True)
def _sign_key(): ...
"""
COMMAND = """
@_verify.command(name="{name}")
@_model_path
@_signature
@_ignored
@click.option("--{own}", required=True)
@click.option("--quiet", is_flag=True)
@_git
def _verify_{name}(): ...
"""
OWN = {"key": "public_key", "certificate": "chain", "sigstore": "identity"}


def folder(tmp_path: Path, methods: tuple[str, ...]) -> Path:
    text = SHARED + "".join(COMMAND.format(name=name, own=OWN[name]) for name in methods)
    (tmp_path / signing.SOURCE).parent.mkdir(exist_ok=True)
    (tmp_path / signing.SOURCE).write_text(text, encoding="utf-8")
    return tmp_path


def test_options_are_those_of_each_way(tmp_path: Path) -> None:
    found = signing.read(folder(tmp_path, signing.METHODS), "1.2.3")
    assert found["version"] == "1.2.3"
    assert found["verify"]["key"] == [
        {"names": ["--signature"], "takes": "value", "required": True},
        {"names": ["--ignore-paths"], "takes": "values", "required": False},
        {"names": ["--public_key"], "takes": "value", "required": True},
        {"names": ["--quiet"], "takes": "nothing", "required": False},
        {"names": ["--ignore-git-paths", "--no-ignore-git-paths"], "takes": "nothing", "required": False},
    ]
    assert [each[2]["names"] for each in found["verify"].values()] == [
        ["--public_key"],
        ["--chain"],
        ["--identity"],
    ]


def test_a_way_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has no options of verify sigstore"):
        signing.read(folder(tmp_path, ("key", "certificate")), "1.2.3")


def test_a_file_of_another_version_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signing, "FILE", tmp_path / "signing.yaml")
    source = str(folder(tmp_path, signing.METHODS))
    assert signing.main([source, "1.2.3"]) == 0
    assert signing.main([source, "1.2.3", "--verify"]) == 0
    assert signing.main([source, "1.2.4", "--verify"]) == 1
    assert "is not what model_signing/_cli.py of 1.2.4 says" in capsys.readouterr().err
