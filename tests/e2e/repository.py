"""A Git repository on disk, as Argo CD reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import ROOT

TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {answer: {{ .Values.answer | quote }}}
"""


class Repository:
    """A folder under Git; `url` names it to Argo CD. Its branch is `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"
        folder.mkdir(exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def add_probe(self) -> None:
        """A chart in probe/ whose one ConfigMap, called as the release, holds the value `answer`."""
        self.write("probe/Chart.yaml", "apiVersion: v2\nname: probe\nversion: 1.0.0\n")
        self.write("probe/values.yaml", "answer: none\n")
        self.write("probe/templates/configmap.yaml", TEMPLATE)

    def add_charts(self) -> None:
        """This project's charts, as a fresh clone has them: without what `helm dependency update` leaves."""
        made = shutil.ignore_patterns("Chart.lock")

        def ignored(folder: str, names: list[str]) -> set[str]:
            subcharts = {"charts"} if Path(folder) != ROOT / "charts" else set()
            return made(folder, names) | (subcharts & set(names))

        shutil.copytree(ROOT / "charts", self.folder / "charts", ignore=ignored)

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self, name: str, text: str) -> None:
        """Writes one file and commits everything."""
        self.write(name, text)
        self.git("add", ".")
        self.git("commit", "--quiet", f"--message={name}")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(self.folder), *who, *arguments], check=True, capture_output=True)
