"""Whether the charts render the objects that those of another commit render, byte for byte.

`make test-render-equal BASE=<commit>` renders each release of values/models, each ci/ file of a chart, and llm-platform
and llm-gitops with values/platform, on Kubernetes 1.34 to 1.37, twice: charts and values of BASE, charts and values of
this tree. An object is compared by its text in the manifest, so that not even a quote may change unseen; which template
it comes from is not compared. Each difference is printed once, with all renders that have it.

`--allow FILE` lists differences that are meant, one a line: `KIND/NAME POINTER`, `*` for any text in either. What is
left is an error, and so is a line that no difference needs. Exit status: 0 equal, 1 not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from llmops import release
from llmops.diff.fields import differences
from llmops.findings import InputError, RefusedError
from llmops.release import Inputs, archive
from llmops.render import Target
from llmops.render.archive import held
from llmops.render.manifest import Object, parse, read_values
from llmops.render.sdk import SdkRenderer

ROOT = Path(__file__).parents[1]
VERSIONS = ("1.34.0", "1.35.0", "1.36.0", "1.37.0")
LONGEST = 300  # characters of a value in a line
REFUSED = ("", "refused", "", "")

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Difference:
    """One place in one object. `subject` is KIND/NAME, `pointer` a JSON Pointer ('' for the whole object)."""

    subject: str
    pointer: str
    before: str
    after: str


def renders(root: Path, versions: Sequence[str]) -> dict[str, Inputs]:
    """What is rendered from a tree, by a name that both trees share: `qwen3-8b/prod on 1.35.0`."""
    return {
        f"{name} on {version}": inputs
        for version in versions
        for name, inputs in (*_releases(root, version), *_ci(root, version), *_platform(root, version))
    }


def _releases(root: Path, version: str) -> Iterator[tuple[str, Inputs]]:
    models, chart = root / "values/models", root / "charts/llm-stack"
    if models.is_dir():
        environments = root / "values/environments"
        for inputs in release.discover(
            models, env=None, environments=environments, chart=chart, kube_version=version
        ):
            yield f"{inputs.target.name}/{inputs.environment}", inputs


def _ci(root: Path, version: str) -> Iterator[tuple[str, Inputs]]:
    for file in sorted(root.glob("charts/*/ci/*-values.yaml")):
        target = Target(name="demo", namespace="llm", kube_version=version)
        yield str(file.relative_to(root)), Inputs(file.parents[1], (file,), target)


def _platform(root: Path, version: str) -> Iterator[tuple[str, Inputs]]:
    for file in sorted((root / "values/platform").glob("*.yaml")):
        chart = root / "charts" / ("llm-gitops" if file.stem == "gitops" else "llm-platform")
        target = Target(name=chart.name, namespace="monitoring", kube_version=version)
        facts = root / "values/environments" / file.name
        yield (
            str(file.relative_to(root)),
            Inputs(chart, (facts, file) if facts.is_file() else (file,), target),
        )


def objects(inputs: Inputs) -> dict[Key, Object]:
    """The objects by their key; of a chart that refuses the values one whose text is the refusal."""
    layers = [read_values(file).data for file in inputs.values]
    try:
        rendered = SdkRenderer().render(archive(inputs.chart, schemas=False), layers, inputs.target)
    except RefusedError as error:
        return {REFUSED: Object({"refused": error.message}, text=error.message)}
    templates = {**rendered.crds, **rendered.templates}
    return {item.key: item for source, text in templates.items() for item in parse(text, source)}


def compare(before: Mapping[Key, Object], after: Mapping[Key, Object]) -> Iterator[Difference]:
    """The differences of two renders, in the order of kind and name."""
    for key in sorted({**before, **after}):
        old, new = before.get(key), after.get(key)
        subject = f"{key[1]}/{key[3]}".rstrip("/")
        if old is None or new is None:
            yield Difference(subject, "", _presence(key, old), _presence(key, new))
        elif _own(old) != _own(new):
            fields = [
                Difference(subject, field.old if field.after is None else field.new, *_both(field))
                for field in differences(old.data, new.data)
            ]
            yield from fields or [Difference(subject, "", *_lines(_own(old), _own(new)))]


def _presence(key: Key, item: Object | None) -> str:
    if item is None:
        return "nothing"
    return item.text if key == REFUSED else "an object"


def _own(item: Object) -> str:
    """The object's text, without what stands before it in its template."""
    lines = item.text.strip().splitlines()
    start = next((at for at, line in enumerate(lines) if line.strip() and line[0] not in "#-"), 0)
    return "\n".join(lines[start:])


def _both(field: Any) -> tuple[str, str]:
    return _text(field.before), _text(field.after)


def _text(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _lines(old: str, new: str) -> tuple[str, str]:
    """Only the writing differs: the lines that went and those that came."""
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    gone, come = ("\\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in ("- ", "+ "))
    return f"text {_text(gone)}", f"text {_text(come)}"


def _differences(job: tuple[str, Inputs, Inputs]) -> tuple[str, list[Difference]]:
    name, before, after = job
    with held():
        return name, list(compare(objects(before), objects(after)))


def unpack(commit: str, folder: Path) -> None:
    """charts/ and values/ of a commit, written into a folder; InputError when there is no such commit."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit, "charts", "values"],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise InputError(f"git does not know {commit}: write BASE=<commit>, one that has charts/ and values/")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as packed:
        packed.extractall(folder, filter="data")


def allowed(file: Path | None) -> list[str]:
    """The lines of an allow file without comments."""
    text = file.read_text(encoding="utf-8") if file else ""
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def report(found: Mapping[Difference, Sequence[str]], allow: Sequence[str]) -> tuple[list[str], bool]:
    """Lines to print, and whether nothing is left that was not meant."""
    lines: list[str] = []
    used: set[str] = set()
    left = 0
    for difference, names in sorted(found.items(), key=lambda item: (item[0].subject, item[0].pointer)):
        place = f"{difference.subject} {difference.pointer or '/'}"
        matching = [pattern for pattern in allow if fnmatch.fnmatchcase(place, pattern)]
        used.update(matching)
        left += not matching
        lines += [
            f"{'meant' if matching else 'DIFFERENT'}: {place}",
            f"  before: {difference.before}",
            f"  after:  {difference.after}",
            f"  in {len(names)} renders: {_some(names)}",
        ]
    lines += [f"NOT NEEDED: {pattern}" for pattern in allow if pattern not in used]
    return lines, not left and used.issuperset(allow)


def _some(names: Sequence[str]) -> str:
    """The renders without their versions, each once."""
    plain = list(dict.fromkeys(name.partition(" on ")[0] for name in names))
    return ", ".join(plain[:12]) + (f" and {len(plain) - 12} more" if len(plain) > 12 else "")


def run(base: Path, head: Path, versions: Sequence[str], allow: Sequence[str]) -> tuple[list[str], bool]:
    """Renders both trees and compares them: lines to print, and whether all is equal or meant."""
    before, after = renders(base, versions), renders(head, versions)
    jobs = [(name, inputs, after[name]) for name, inputs in before.items() if name in after]
    found: dict[Difference, list[str]] = defaultdict(list)
    # The Go runtime inside does not survive a fork.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for name, different in pool.map(_differences, jobs, chunksize=16):
            for difference in different:
                found[difference].append(name)
    lines, fine = report(found, allow)
    for sign, names in (
        ("only before", before.keys() - after.keys()),
        ("only now", after.keys() - before.keys()),
    ):
        lines += [f"{sign}: {_some(sorted(names))}"] if names else []
    lines.append(f"{len(jobs)} renders, {len(found)} differences, {'all meant' if fine else 'not all meant'}")
    return lines, fine


def main() -> int:
    parser = argparse.ArgumentParser(prog="test-render-equal", description=__doc__)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--allow", type=Path, help="file of differences that are meant")
    parser.add_argument("--kube-version", action="append", help="X.Y.Z; 1.34 to 1.37 unless given")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpack(arguments.base, Path(folder))
            lines, fine = run(
                Path(folder), ROOT, arguments.kube_version or VERSIONS, allowed(arguments.allow)
            )
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    print("\n".join(lines))  # noqa: T201
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
