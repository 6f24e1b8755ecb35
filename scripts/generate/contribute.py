"""Files that a new rule or alert begins with: python -m generate.contribute rule THEME NAME | alert GROUP NAME.

What they hold fails its test until it is replaced. CONTRIBUTING.md says what comes next.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import which

import yaml

from llmops.findings import InputError

CHECKS = Path("scripts/llmops/checks")
CODES = Path("tests/checks/codes.yaml")
ALERTS = Path("charts/alert-rules")
REASON = "What goes wrong in the cluster, and for whom, when an object has this defect."

_MODULE = '''"""{title}."""

from __future__ import annotations

'''
_IMPORTS = """from collections.abc import Iterator

from llmops.checks.registry import {severity}, defect, graph, rule
from llmops.findings import Finding
from llmops.release import Release

"""
_RULE = '''

@rule("{code}", severity={severity}, fix="Write what to write instead.")
def {function}(release: Release) -> Iterator[Finding]:
    """{reason}"""
    for obj in graph(release).of_kind(("", "ConfigMap")):
        if obj.get("/data/key") == "replace this condition":
            yield defect(obj, "/data/key", "say what is wrong, with the value that is written.")
'''
_EXAMPLE = """\
- case: the smallest objects that have the defect
  manifests: |
    apiVersion: v1
    kind: ConfigMap
    metadata: {{name: spoilt}}
    data: {{key: "1"}}
  findings: [{{rule: {rule_id}, path: /data/key}}]
- case: the same without it
  manifests: |
    apiVersion: v1
    kind: ConfigMap
    metadata: {{name: fine}}
    data: {{key: "2"}}
  findings: []
"""
_ALERT = """\
- alert: {name}
  expr: |-
    max by (namespace, release) (llm:to_be_replaced)
    * on (namespace, release) group_left (model_name) (llm:slo:error_ratio > bool 0)
    > 0
  summary: "{{{{ $labels.release }}}}: what a person sees"
  description: "What is the matter with {{{{ $labels.model_name }}}} ({{{{ $labels.namespace }}}}), with a number."
  summary_zh: "{{{{ $labels.release }}}}：现象"
  description_zh: "{{{{ $labels.model_name }}}}（{{{{ $labels.namespace }}}}）的情况与数值。"
"""
_VALUES = """\
  {name}:
    # -- What it fires on, as the table of docs/alerts.md says it
    enabled: true
    # -- Severity
    severity: warning # @schema enum: [critical, warning, info]
    # -- How long it must hold
    for: 5m # @schema pattern: ^(0s|[1-9][0-9]{{0,3}}(s|m|h))$; description: A Prometheus duration such as 5m
    # -- How long it goes on after it last held. Empty means not at all
    keepFiringFor: "" # @schema pattern: ^([1-9][0-9]{{0,3}}(s|m|h))?$; {orEmpty}
"""
_OR_EMPTY = "description: A Prometheus duration such as 5m, or empty"
_CASES = """\
alert: {name}
labels: {{severity: warning, namespace: llm, release: demo, model_name: demo}}
summary: "demo: replace this"
release:
  'llm:slo:error_ratio{{namespace="llm", release="demo", model_name="demo"}}': "0.01x60"
cases:
  - name: fires
    series: {{'llm:to_be_replaced{{namespace="llm", release="demo"}}': "1x60"}}
    silent: [4m30s]
    firing: [5m]
  - name: just below
    series: {{'llm:to_be_replaced{{namespace="llm", release="demo"}}': "0x60"}}
    silent: [30m]
  - name: clears
    series: {{'llm:to_be_replaced{{namespace="llm", release="demo"}}': "1x10 0x50"}}
    firing: [10m]
    silent: [30m]
  - name: missing series
    series: {{}}
    silent: [30m]
  - name: release without alerts
    release: false
    series: {{'llm:to_be_replaced{{namespace="llm", release="demo"}}': "1x60"}}
    silent: [30m]
"""
_COMMAND = "```sh\nkubectl -n NAMESPACE get pods -l app.kubernetes.io/instance=RELEASE -o wide\n```"
_SECTIONS = {
    "en": {
        "Meaning": "What the alert says, and how it is measured.",
        "Impact": "What users notice.",
        "Diagnosis": f"Commands and queries that tell the causes apart.\n\n{_COMMAND}",
        "Mitigation": "What to do for each cause.",
    },
    "zh": {
        "含义": "告警的含义与测量方式。",
        "影响": "用户会察觉到什么。",
        "诊断": f"区分原因的命令与查询。\n\n{_COMMAND}",
        "处理": "针对每种原因的处理办法。",
    },
}


def rule(root: Path, theme: str, name: str, severity: str = "error", module: str = "") -> list[Path]:
    """Writes a rule of a theme, its example file and its code; the files in order. InputError for a bad name.

    `module` is the topic in a theme that is a package, by default one of the rule's own.
    """
    _matches("[a-z][a-z0-9]*(-[a-z0-9]+)+", name, "a rule is called like service-without-port")
    folder = root / CHECKS / "rules" / theme.replace("-", "_")
    example = root / CHECKS / f"examples/{theme}/{name}.yaml"
    if theme == "policy":
        raise InputError("a policy is a file of charts/llm-policies/policies; see docs/policies.md")
    if not folder.is_dir() and not folder.with_suffix(".py").is_file():
        raise InputError(f"there is no theme {theme!r}: docs/check.md lists them")
    if example.exists():
        raise InputError("is there already", str(example.relative_to(root)))
    file = folder.with_suffix(".py")
    function = name.replace("-", "_")
    if folder.is_dir():
        file = folder / f"{(module or name).replace('-', '_')}.py"
    code = _give_code(root / CODES, theme, f"{theme}/{name}")
    old = file.read_text(encoding="utf-8") if file.is_file() else _MODULE.format(title=_sentence(name))
    head, future, body = old.partition("from __future__ import annotations\n")
    filled = {"severity": severity.upper(), "code": code, "function": function, "reason": REASON}
    text = f"{head}{future}\n{_IMPORTS.format_map(filled)}{body.rstrip()}\n{_RULE.format_map(filled)}"
    file.write_text(text, encoding="utf-8")
    _tidy(file)
    example.parent.mkdir(exist_ok=True)
    example.write_text(_EXAMPLE.format(rule_id=f"{theme}/{name}"), encoding="utf-8")
    return [file, example, root / CODES]


def _give_code(file: Path, theme: str, rule_id: str) -> str:
    """The next free code of a theme, written into the list of those that were given."""
    text = file.read_text(encoding="utf-8")
    given: dict[str, str] = yaml.safe_load(text)
    family = next(code[:3] for code, one in sorted(given.items()) if one.startswith(f"{theme}/"))
    last = max(code for code in given if code.startswith(family))
    code = f"{family}{int(last[3:]) + 1:02d}"
    if len(code) > len(last):
        raise InputError(
            f"the codes {family}01 to {last} are all given: begin another hundred by hand", str(file)
        )
    line = re.compile(rf"^{last}:.*\n", re.M)
    file.write_text(line.sub(lambda found: f"{found[0]}{code}: {rule_id}\n", text), encoding="utf-8")
    return code


def alert(root: Path, group: str, name: str) -> list[Path]:
    """Writes an alert, its values, its row, two runbooks and its cases; the files in order. InputError if it cannot."""
    _matches("[A-Z][A-Za-z0-9]+", name, "an alert is called like LLMQueueTooLong")
    groups = sorted(file.stem for file in (root / ALERTS / "files").glob("*.yaml"))
    if group not in groups:
        raise InputError(f"there is no group {group!r}; there are {', '.join(groups)}")
    values, page = root / ALERTS / "values.yaml", root / "docs/alerts.md"
    if f"\n  {name}:\n" in values.read_text(encoding="utf-8"):
        raise InputError(f"{name} is there already", str(ALERTS / "values.yaml"))
    files = root / ALERTS / f"files/{group}.yaml"
    _change(files, lambda text: f"{text.rstrip()}\n{_ALERT.format(name=name)}")
    block = _VALUES.format(name=name, orEmpty=_OR_EMPTY)
    _change(values, lambda text: _after_last(text, r"^alerts:\n(?:(?:  .*)?\n)+", block))
    row = f"| {name} | warning | 5m | what it fires on |\n"
    _change(page, lambda text: _after_last(_counted(text), r"^\| alert \|.*\n(?:\|.*\n)+", row))
    written = [files, values, page]
    for language, sections in _SECTIONS.items():
        book = root / f"docs/runbooks/{language}/{name.lower()}.md"
        body = "\n".join(f"## {title}\n\n{text}\n" for title, text in sections.items())
        book.write_text(f"# {name}\n\n{body}", encoding="utf-8")
        written.append(book)
    cases = root / f"tests/alerts/cases/{name.lower()}.yaml"
    cases.write_text(_CASES.format(name=name), encoding="utf-8")
    return [*written, cases]


def _matches(pattern: str, name: str, example: str) -> None:
    if not re.fullmatch(pattern, name):
        raise InputError(f"{name!r} is no name: {example}")


def _sentence(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _change(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")


def _counted(page: str) -> str:
    """The page with one alert more where it says how many there are."""
    return re.sub(r"(?<=models have )\d+(?= alerts)", lambda found: str(int(found[0]) + 1), page)


def _after_last(text: str, block: str, new: str) -> str:
    """The text with something added at the end of a block of lines."""
    found = re.search(block, text, re.M)
    if found is None:
        raise InputError(f"the place of the new lines is gone: see {block!r}")
    end = found.start() + len(found[0].rstrip("\n")) + 1
    return text[:end] + new + text[end:]


def _tidy(file: Path) -> None:
    """Imports joined and sorted, as `make lint` wants them."""
    ruff = Path(sys.executable).with_name("ruff")
    program = str(ruff) if ruff.is_file() else which("ruff")
    if program is None:
        raise InputError("there is no ruff: run `make setup` once")
    for arguments in (["check", "--quiet", "--select", "I,F401", "--fix"], ["format", "--quiet"]):
        subprocess.run([program, *arguments, str(file)], check=True)  # noqa: S603 our own formatter


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m generate.contribute", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("rule", help="a rule of `llmops check`")
    one.add_argument("theme")
    one.add_argument("name")
    one.add_argument("--severity", choices=("error", "warning"), default="error")
    one.add_argument("--module", default="", help="topic of a theme that has several; by default a new one")
    two = kinds.add_parser("alert", help="an alert of the chart alert-rules")
    two.add_argument("group")
    two.add_argument("name")
    write: dict[str, Callable[..., list[Path]]] = {"rule": rule, "alert": alert}
    given = vars(parser.parse_args(None if arguments is None else list(arguments)))
    root, kind = given.pop("root"), given.pop("kind")
    try:
        files = write[kind](root, **given)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{file.relative_to(root)}\n" for file in files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
