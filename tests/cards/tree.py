"""A tree of values in a Git repository of its own: one model, three environments, people with signing keys."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from llmops.cards import promote
from llmops.cards.judge import Judge
from llmops.cards.promote import Move
from llmops.evaluation import document
from llmops.git.repository import Repository

ROOT = Path(__file__).parents[2]
MODEL = "demo"
ENVIRONMENTS = ("dev", "staging", "prod")
TODAY = date(2026, 11, 1)
IMAGE = f"sha256:{'c' * 64}"
RELEASE_HEAD = "# Written by promotion. This comment stays.\n"


def revision(version: str) -> str:
    """A commit of weights for each version."""
    return hashlib.sha1(version.encode(), usedforsecurity=False).hexdigest()


def measured(version: str, **changes: Any) -> dict[str, str]:
    """The files that a run of measure and evaluate leaves for a version, by path. A task may state its `answers`."""
    run = {
        "id": f"run-{version}",
        "endpoint": "http://demo.llm-dev",
        "model": MODEL,
        "engine": "vllm",
        "engineVersion": "0.33.0",
        "imageDigest": IMAGE,
        "revision": revision(version),
        "quantization": "awq",
        "template": f"sha256:{'e' * 64}",
        "started": "2026-10-01T11:00:00Z",
        "finished": "2026-10-01T12:00:00Z",
    }
    tasks: dict[str, dict[str, Any]] = {
        "arithmetic": {"correct": 180, "items": 200},
        "reading": {"correct": 190, "items": 200},
    }
    written = document.empty(run)
    load = {"concurrency": 16, "requests": 400, "errors": 0, "seconds": 60.0, "ttftP99Ms": 321.5}
    written |= {"load": [load], "memory": {"withoutKvCacheGb": 6.1}}
    facts = {"data": f"sha256:{'d' * 64}", "shots": 0, "seed": 0, "noise": {"items": 50, "flipped": 1}}
    files = {}
    for task, row in merged(tasks, changes.pop("tasks", {})).items():
        answers = row.get("answers") or {f"item-{n}": n < row["correct"] for n in range(row["items"])}
        files[f"eval-items/{task}.jsonl"] = document.add_task(written, task, answers, facts)
    written = merged(written, changes)
    written["load"] = [load | row for row in written["load"]]
    return files | {"eval-results.json": sealed(written)}


def sealed(written: Mapping[str, Any]) -> str:
    """Figures as a file whose seal fits."""
    return json.dumps({**written, "seal": document.seal(written)})


def card(version: str, figures: str, **changes: Any) -> dict[str, Any]:
    """A complete card; `figures` is the text of its eval-results.json."""
    document = {
        "apiVersion": "llm/v1",
        "kind": "ModelVersion",
        "metadata": {"name": MODEL, "version": version, "labels": {"team": "serving", "environment": "prod"}},
        "spec": {
            "baseModel": "Example/Demo-8B",
            "source": "hf://Example/Demo-8B",
            "revision": revision(version),
            "quantization": "awq",
            "datasets": [{"name": "questions", "use": "evaluation", "digest": f"sha256:{'d' * 64}"}],
            "evaluation": {
                "tasks": ["arithmetic", "reading"],
                "concurrency": 16,
                "results": f"sha256:{hashlib.sha256(figures.encode()).hexdigest()}",
            },
            "dependencies": [{"name": "vllm", "version": ">=0.33,<0.34"}],
            "licence": "Apache-2.0",
            "intendedUse": "Answers of a chat.",
            "limits": ["No advice on health."],
        },
    }
    return merged(document, changes)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in changes.items():
        old = made.get(key)
        made[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return made


def approval(by: str, **changes: Any) -> dict[str, Any]:
    document = {"status": "approved", "approvedBy": by, "approvalDate": "2026-10-02", "expires": "2126-04-01"}
    return merged(document, changes)


@dataclass
class Tree:
    """The repository at `folder`; `keys` holds a signing key for each person."""

    folder: Path
    keys: Path
    clock: int = field(default=0)

    @property
    def model(self) -> Path:
        return self.folder / "values/models" / MODEL

    def version(self, version: str) -> Path:
        return self.model / "versions" / version

    def git(self, *arguments: str, who: str = "alice", check: bool = True) -> str:
        """git as that person. Each call is a minute later than the one before."""
        self.clock += 1
        at = f"{int(datetime(2026, 10, 3, tzinfo=UTC).timestamp()) + 60 * self.clock} +0000"
        env = os.environ | {
            "GIT_CONFIG_GLOBAL": str(self.keys / f"{who}.config"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_DATE": at,
        }
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments], env=env, check=check, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: Path | str, content: object) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str):
            dump = json.dumps(content) if file.suffix == ".json" else yaml.safe_dump(content, sort_keys=False)
            content = dump
        file.write_text(content, encoding="utf-8")

    def commit(self, message: str, *, who: str = "alice", sign: bool = False) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, *(["-S"] if sign else []), who=who)
        return self.head

    def measure(self, version: str, **changes: Any) -> str:
        """Writes the figures of a version; returns the text of eval-results.json."""
        files = measured(version, **changes)
        for name, content in files.items():
            self.write(self.version(version) / name, content)
        return files["eval-results.json"]

    def add_version(self, version: str, *, by: str = "bob", approve: bool = True, **changes: Any) -> None:
        """Alice commits the card and the figures; another person signs its approval."""
        text = self.measure(version, **changes.pop("measured", {}))
        self.write(self.version(version) / "model-card.yaml", card(version, text, **changes))
        self.commit(f"Card of {version}")
        if approve:
            self.approve(version, by=by)

    def approve(self, version: str, *, by: str = "bob", sign: bool = True, **changes: Any) -> None:
        self.write(self.version(version) / "approval.yaml", approval(f"{by}@example.com", **changes))
        self.commit(f"Approve {version}", who=by, sign=sign)

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def judge(self, today: date = TODAY, **others: Any) -> Judge:
        return Judge(today, Repository(self.model), **others)

    def promote(self, to: str, **source: str) -> Move:
        move = promote.promotion(self.judge(), self.model, to, lambda *_: "", **source)
        promote.land(move)
        return move

    def everywhere(self, version: str) -> None:
        """From its card to production."""
        self.promote("dev", version=version)
        self.promote("staging", source="dev")
        self.promote("prod", source="staging")

    def state(self) -> dict[str, object]:
        """All that must not change when something is refused: commits, tags, branches, files."""
        files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".git" not in path.parts
        }
        refs = [
            line for line in self.git("show-ref", check=False).splitlines() if "refs/remotes/" not in line
        ]
        return {"refs": refs, "files": files, "status": self.git("status", "--porcelain")}


def make_keys(folder: Path) -> Path:
    """A key and a Git configuration for each person, and one file that says whose keys are trusted."""
    folder.mkdir()
    signers = folder / "signers"
    with signers.open("w", encoding="utf-8") as file:
        for who in ("alice", "bob", "carol"):
            key = folder / who
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(key)]
            subprocess.run(command, check=True)
            file.write(f"{who}@example.com {key.with_suffix('.pub').read_text()}")
            (folder / f"{who}.config").write_text(
                f"[user]\n name = {who}\n email = {who}@example.com\n signingkey = {key}\n"
                f'[gpg]\n format = ssh\n[gpg "ssh"]\n allowedSignersFile = {signers}\n'
                "[init]\n defaultBranch = main\n[maintenance]\n auto = false\n[gc]\n auto = 0\n"
            )
    return folder


def make_tree(folder: Path, keys: Path) -> Tree:
    """The model without a version; environments as the project's own."""
    tree = Tree(folder, keys)
    folder.mkdir()
    tree.git("init", "-q")
    shutil.copytree(ROOT / "values/environments", folder / "values/environments")
    source = {"name": MODEL, "source": "hf://Example/Demo-8B", "quantization": "awq"}
    shared = {"global": {"llm": {"model": source, "gpu": {"product": "L4", "budget": 8}}}}
    tree.write(tree.model / "values.yaml", {**shared, "vllm-inference": {"engine": {"version": "0.33.0"}}})
    for env in ENVIRONMENTS:
        tree.write(tree.model / "envs" / env / "values.yaml", "{}\n")
        tree.write(tree.model / "envs" / env / "release.yaml", RELEASE_HEAD + "global: {}\n")
    tree.commit("A model without a version")
    return tree
