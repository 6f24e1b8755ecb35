"""Files that were handed over as attacks, each run once: manifests and figures by the toolkit, scripts by what they do.

A script runs against a gate with two updates under way and an exporter; afterwards both must be what they were.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attack import handed_scripts

ROOT = Path(__file__).parents[2]
LLMOPS = [sys.executable, "-m", "llmops.cli"]
FORMS = ("text", "json", "sarif", "junit", "html")
PLANTED = re.compile(r"CaN4ry\w*|7321998765\d|AKIAIOSFODNN7CANARY1")
# What `fit` and `check` say of the other model, which has a waiver.
_SOUND = ('"release": "sound"', '"name": "sound-smoke"')
_COMMAND = re.compile(r"(?m)^\s*::|[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def run(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each file and form."""
    for file in sorted(folder.glob("*.y*ml")):
        for form in FORMS:
            row = _judged(f"{file.name} {form}", ["check", "--manifests", str(file), "--format", form])
            yield {key: one for key, one in row.items() if key != "output"}
        row = _judged(f"{file.name} diff", ["diff", str(file), str(file), "--all"])
        yield {key: one for key, one in row.items() if key != "output"}
    for file in sorted(folder.glob("*.json")):
        yield from _figures(file)
    yield from handed_scripts.run(folder)


def _figures(file: Path) -> Iterator[dict[str, Any]]:
    """A config.json beside a sound one: whatever it holds, the other model is judged."""
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "values/models")
        shutil.copytree(ROOT / "values/environments", Path(scratch, "values/environments"))
        for name in ("spoilt", "sound"):
            shutil.copytree(ROOT / "values/models/qwen3-8b", models / name)
        shutil.copy(file, models / "spoilt/config.json")
        chart = ["--models", str(models), "--env", "prod", "--chart", str(ROOT / "charts/llm-stack")]
        for verb in ("fit", "check"):
            row = _judged(f"{file.name} {verb}", [verb, *chart, "--format", "json"])
            output = row.pop("output")
            if not any(one in output for one in _SOUND):
                row["fault"] = "; ".join(filter(None, (row["fault"], "the other model was not judged")))
            yield row


def _judged(case: str, arguments: list[str]) -> dict[str, Any]:
    began = time.monotonic()
    row = {"case": case, "mebibytes": 0, "output": "", "fault": ""}
    try:
        done = subprocess.run(
            [*LLMOPS, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return {**row, "status": "hang", "seconds": 120.0, "fault": "hang"}
    said = done.stdout + done.stderr
    faults = ["a traceback" for _ in range("Traceback" in said or done.returncode not in (0, 1, 2))]
    faults += [f"prints {found[0]!r}" for found in (_COMMAND.search(said), PLANTED.search(said)) if found]
    ended = {"status": f"exit status {done.returncode}", "seconds": round(time.monotonic() - began, 2)}
    return {**row, **ended, "fault": "; ".join(faults), "output": done.stdout}
