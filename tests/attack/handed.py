"""Files that were handed over as attacks, each run once: manifests by `check`, figures by `fit`.

Scripts of attackers need a service to talk to; `tests/attack/programs.py` says how each service is started.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LLMOPS = [sys.executable, "-m", "llmops.cli"]
FORMS = ("text", "json", "sarif", "junit", "html")
_COMMAND = re.compile(r"(?m)^\s*::|[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_PLANTED = re.compile(r"CaN4ry\w*|7321998765\d")


def run(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each file and form."""
    for file in sorted(folder.glob("*.yaml")):
        for form in FORMS:
            yield _judged(f"{file.name} {form}", ["check", "--manifests", str(file), "--format", form])
    for file in sorted(folder.glob("*.json")):
        with tempfile.TemporaryDirectory() as scratch:
            models = Path(scratch, "values/models")
            shutil.copytree(ROOT / "values/environments", Path(scratch, "values/environments"))
            for name in ("spoilt", "sound"):
                shutil.copytree(ROOT / "values/models/qwen3-8b", models / name)
            shutil.copy(file, models / "spoilt/config.json")
            chart = ["--models", str(models), "--env", "prod", "--chart", str(ROOT / "charts/llm-stack")]
            row = _judged(file.name, ["fit", *chart, "--format", "json"])
            sound = [
                one
                for one in json.loads(row.pop("output") or '{"releases": []}')["releases"]
                if one["release"] == "sound"
            ]
            if not sound or not sound[0].get("verdict"):
                row["fault"] = "the other model was not judged"
            yield row


def _judged(case: str, arguments: list[str]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        done = subprocess.run(
            [*LLMOPS, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return {
            "case": case,
            "status": "hang",
            "seconds": 120.0,
            "mebibytes": 0,
            "fault": "hang",
            "output": "",
        }
    said = done.stdout + done.stderr
    faults = ["a traceback" for _ in range("Traceback" in said or done.returncode not in (0, 1, 2))]
    faults += [f"prints {found[0]!r}" for found in (_COMMAND.search(said), _PLANTED.search(said)) if found]
    return {"case": case, "status": f"exit status {done.returncode}", "seconds": time.monotonic() - began,
            "mebibytes": 0, "fault": "; ".join(faults), "output": done.stdout}  # fmt: skip
