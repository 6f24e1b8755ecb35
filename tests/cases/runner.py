"""Reads a case, runs `llmops check` as it says, and compares with what it promises.

A case is a YAML file whose first comment lines say: `# check: ARGUMENTS` (FILE is the case; else `--manifests FILE`
or, of values, the umbrella chart), and `# right: RULE POINTER` once for each promised finding, or `# right: nothing`.
POINTER may end in `*`. `# as: values/models/…` puts it into a copy of values/ first, and it is judged with its model.
Cases of others have a command and prose: what they should give is for their reader to say, and shown is whether
anything beside the usual marks of a shortened manifest was found. Of theirs, a folder's values.yaml is a model's.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from click.testing import CliRunner

from llmops.cli import main

ROOT = Path(__file__).parents[2]
OWN = Path(__file__).parent
# What a manifest cut down to its mistake nearly always has beside it.
SHORTENED = (
    "image/missing-digest", "pod-security/", "policy/service-account-token", "schema/unknown-kind",
    "model/unpinned-revision",
)  # fmt: skip
_HEAD = re.compile(r"^#\s*(check|right|run|as):\s*(.*)$")
_COPIED = re.compile(r"\bAs (values/models/\S+) of a copied tree")
_COMMAND = re.compile(r"llmops check (.+?)(?:\s{3,}|;|$)")


@dataclass(frozen=True)
class Case:
    """`promised` are (rule, pointer pattern); None where nobody wrote the outcome down for a program.

    `placed` is where in a copy of values/ the file stands while it is judged.
    """

    file: Path
    arguments: tuple[str, ...]
    promised: tuple[tuple[str, str], ...] | None
    placed: str = ""


@dataclass(frozen=True)
class Result:
    """`found` are (rule, pointer) of what the check reported beside the marks of a shortened manifest."""

    case: Case
    status: int
    found: tuple[tuple[str, str], ...]

    @property
    def missed(self) -> list[tuple[str, str]]:
        return [
            one for one in self.case.promised or () if not any(_meets(given, one) for given in self.found)
        ]

    @property
    def surplus(self) -> list[tuple[str, str]]:
        """What was found and not promised."""
        promised = self.case.promised
        return (
            []
            if promised is None
            else [one for one in self.found if not any(_meets(one, p) for p in promised)]
        )

    @property
    def rendered(self) -> bool:
        """Whether it is values of others that render without a finding: right if the rendered objects are."""
        values = "--manifests" not in self.case.arguments
        return self.case.promised is None and values and self.status == 0 and not self.found

    @property
    def red(self) -> bool:
        if self.status not in (0, 1):
            return True
        if self.rendered:
            return False
        return bool(self.missed or self.surplus) if self.case.promised is not None else not self.found


def cases(folder: Path) -> list[Case]:
    """The cases of a folder and of those below it, in order of their names."""
    return [one for file in sorted(folder.resolve().rglob("*.yaml")) if (one := _case(file))]


def run(case: Case) -> Result:
    """One case through the command."""
    with tempfile.TemporaryDirectory(prefix="case-") as scratch:
        arguments = [*case.arguments, *_placed(case, Path(scratch)), "--format", "json"]
        given = CliRunner().invoke(main, ["check", *arguments], catch_exceptions=False)
    try:
        findings = json.loads(given.stdout).get("findings", [])
    except ValueError:
        findings = []
    shortened = SHORTENED if case.promised is None or not _named(case.promised) else ()
    found = [
        (one["rule"], one["path"]) for one in findings if not one["rule"].startswith(shortened or ("\0",))
    ]
    return Result(case, given.exit_code, tuple(found))


def _placed(case: Case, scratch: Path) -> list[str]:
    """A copy of the environments and of one model with the case in it, and the arguments that judge it."""
    if not case.placed:
        return []
    model = Path(*Path(case.placed).parts[:3])
    for one in (Path("values/environments"), model):
        shutil.copytree(ROOT / one, scratch / one)
    shutil.copyfile(case.file, scratch / case.placed)
    return ["--models", str(scratch / model), "--env", "prod"]


def _named(promised: tuple[tuple[str, str], ...]) -> bool:
    return any(rule.startswith(SHORTENED) for rule, _ in promised)


def _meets(found: tuple[str, str], promised: tuple[str, str]) -> bool:
    return found[0] == promised[0] and fnmatchcase(found[1], promised[1].replace("[", "[[]"))


def _case(file: Path) -> Case | None:
    text = file.read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    said = [found.groups() for line in head if (found := _HEAD.match(line))]
    right = [rest.split() for key, rest in said if key == "right"]
    ours = OWN in file.parents
    promised = (
        tuple((words[0], (words[1:] or ["*"])[0]) for words in right if words != ["nothing"])
        if ours
        else None
    )
    placed = next((rest for key, rest in said if key == "as"), "") if ours else _place(file, head)
    written = next((rest for key, rest in said if key == "check"), "") if ours else _command(head)
    arguments = "" if placed else written or _usual(text)
    if not arguments and not placed:
        return None
    parts = [str(file) if one == "FILE" or one == file.name else one for one in arguments.split()]
    parts = [str(ROOT / one) if one.startswith("charts/") else one for one in parts]
    return Case(file, tuple(parts), promised, placed)


def _place(file: Path, head: list[str]) -> str:
    found = next((found[1] for line in head if (found := _COPIED.search(line))), "")
    return found or ("values/models/qwen3-8b/values.yaml" if file.name == "values.yaml" else "")


def _command(head: list[str]) -> str:
    return next((found[1] for line in head if (found := _COMMAND.search(line))), "")


def _usual(text: str) -> str:
    """How a case is checked that does not say it: manifests, or values of the umbrella; nothing for neither."""
    first = next((one for one in yaml.safe_load_all(text) if one is not None), None)
    if not isinstance(first, dict):
        return ""
    if "apiVersion" in first:
        return "--manifests FILE"
    values = "charts/llm-stack --name demo --namespace llm -f FILE --disable image/missing-digest"
    return values if {"global", "vllm-inference"} & set(first) else ""
