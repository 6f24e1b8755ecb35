"""Lines that fit a terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import IO, Any

LEAST = 40


def terminal_width(stream: IO[Any]) -> int | None:
    """The columns of a terminal; None for a pipe or a file, whose reader wants whole lines."""
    return max(LEAST, shutil.get_terminal_size().columns) if stream.isatty() else None


def wrapped(line: str, width: int | None, indent: str = "    ") -> list[str]:
    """One line as lines of at most `width` columns, later ones indented; a longer word is not broken."""
    if width is None or len(line) <= width:
        return [line]
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
