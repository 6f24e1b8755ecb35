"""The pictures of the docs show what the commands print today."""

from __future__ import annotations

from lab import pictures


def test_a_drawing_of_the_docs_is_what_the_command_prints() -> None:
    drawn = {file.name: file.read_text(encoding="utf-8") for file in pictures.PICTURES.glob("*.svg")}
    assert drawn == pictures.drawings(), "a picture is stale: make pictures"
