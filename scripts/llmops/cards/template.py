"""A repository of values to begin with: layout, checks, owners, and the words for reviews."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from llmops.findings import InputError

_WAIVED_FOR = timedelta(days=60)


def write(folder: Path, toolkit: str, charts: str, today: date) -> list[Path]:
    """The files written into an empty or new folder. InputError where something stands there already."""
    if folder.exists() and (not folder.is_dir() or any(one.name != ".git" for one in folder.iterdir())):
        raise InputError("there is something here already; name a new or an empty folder", str(folder))
    words = {"@LLMOPS@": toolkit, "@CHARTS@": charts, "@EXPIRES@": (today + _WAIVED_FOR).isoformat()}
    try:
        return _copied(files("llmops.cards").joinpath("new_repo"), folder, words)
    except OSError as error:
        raise InputError(f"it cannot be written: {error.strerror}", str(folder)) from None


def _copied(source: Traversable, target: Path, words: dict[str, str]) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for entry in sorted(source.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            written += _copied(entry, target / entry.name, words)
            continue
        text = entry.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        (target / entry.name).write_text(text, encoding="utf-8")
        written.append(target / entry.name)
    return written
