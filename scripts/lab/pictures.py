"""`make pictures`: what the commands of the README print, as drawings, and its report as a browser shows it.

The drawings are text and stand in docs/pictures, where a test draws them anew. The photographs go to out/pictures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
PLAN = ("plan", "values/models/qwen3-8b", "--env", "prod")
COLUMNS = 96
# rich's own frame fetches its font from the network; this one takes what the reader has.
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px}}
.{unique_id}-title {{font-size: 18px; font-family: sans-serif}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
_BROWSER = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars")  # fmt: skip
# Width and height in pixels: a desk, and the phone of whoever is on call.
SIZES = {"report": (1200, 2600), "report-phone": (412, 3200)}


def printed(*command: str) -> str:
    """What `llmops` prints, without colour."""
    done = subprocess.run(
        [sys.executable, "-m", "llmops.cli", *command],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": str(COLUMNS), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def drawing(command: str, output: str) -> str:
    """A terminal as SVG: the command with its prompt, and what it printed. The same for the same text."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text(output), end="")
        return console.export_svg(title="", code_format=FRAME, unique_id="t")


def drawings() -> dict[str, str]:
    """Name of the file → its text, of every drawing in docs/pictures."""
    with tempfile.TemporaryDirectory() as out:
        text = printed(*PLAN, "--out", out)
    # The part that nobody else says of a release.
    text = "GPUs and traffic" + text.partition("GPUs and traffic")[2].partition("\nBefore 100 %")[0]
    return {"plan.svg": drawing("make run", text)}


def photographs(folder: Path) -> list[Path]:
    """The report of the README's release as Chromium shows it, by the sizes of SIZES."""
    browser = which("chromium") or which("chromium-browser") or which("google-chrome")
    if browser is None:
        sys.exit("photographs need Chromium: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    printed(*PLAN, "--out", str(folder / "release"))
    taken = []
    for name, (width, height) in SIZES.items():
        file = folder / f"{name}.png"
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run(
                [browser, *_BROWSER, f"--user-data-dir={profile}", f"--window-size={width},{height}",
                 f"--screenshot={file}", (folder / "release/report.html").as_uri()],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
        taken.append(file)
    return taken


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, text in drawings().items():
        (PICTURES / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{PICTURES / name}\n")
    for file in photographs(ROOT / "out/pictures"):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
