"""The one place where text leaves the toolkit: no credentials, and nothing that a terminal or a CI server obeys."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from llmops import redaction
from llmops.findings import InputError

# Data for programs: a number that is a secret must not break the document that holds it.
_DATA = ("json", "sarif")
# Commands to a CI server, which would be made harmless; its parts are clean already.
_COMMANDS = "github"


def say(text: str, form: str = "text", *, err: bool = False, nl: bool = True) -> None:
    """Prints a text, or a document in the form of that name."""
    stream = sys.stderr if err else sys.stdout
    click.echo(leaving(text, form, colours=stream.isatty()), err=err, nl=nl)


def write(path: Path, text: str, form: str = "text") -> None:
    """Writes a report to a file; InputError where that cannot be."""
    write_raw(path, leaving(text, form))


def write_raw(path: Path, text: str) -> None:
    """Writes what a cluster is to get, as it is: a manifest with other values would be another manifest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write it: {error.strerror}", str(path)) from None


def leaving(text: str, form: str = "text", *, colours: bool = False) -> str:
    """The text as it may be read by others."""
    if form == _COMMANDS:
        return text
    if form not in _DATA:
        return redaction.clean(text, colours=colours)
    data = redaction.clean_data(json.loads(text))
    indent = 2 if "\n" in text.rstrip("\n") else None
    return json.dumps(data, indent=indent, ensure_ascii=False) + "\n" * text.endswith("\n")
