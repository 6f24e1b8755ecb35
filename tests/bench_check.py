"""Times `llmops check`, each figure against a yardstick of the same run, since machines are noisy.

`make bench-check` prints: CPU of one release and of its parts; two processes of the check against `helm template |
kubeconform -strict` file by file, two at a time as well; growth up to `--releases` of them with the largest memory;
start-up of the command on one release. Exits 1 where a goal is missed by more than the noise of the same run, which is
how far the middle of several runs lies above the least, and 10 % at least. Under two minutes on two idle cores; beside
other work even CPU time grows, since caches and turbo are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llmops import checks, examine, release
from llmops.kubernetes import schema
from llmops.release import Inputs, archive
from llmops.render import DEFAULT_KUBE_VERSION
from llmops.render.manifest import parse, read_values
from llmops.render.sdk import SdkRenderer

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts/llm-stack"
TOOLS = Path(os.environ.get("LLMOPS_CACHE") or Path.home() / ".cache/llm-charts") / "bin"
CPU_GOAL, RATIO_GOAL, START_GOAL = 30.0, 8.0, 1.0  # ms of CPU a release, times as fast, s
GROWTH_GOAL, MEMORY_GOAL = 1.3, 2.0  # CPU a release and memory, of the largest tree against the smallest
LEAST_NOISE = 0.1
LOCATION = "{{.ResourceKind}}{{.KindSuffix}}.json"


def inputs(models: Path) -> list[Inputs]:
    environments = ROOT / "values/environments"
    return release.discover(
        models, env=None, environments=environments, chart=CHART, kube_version=DEFAULT_KUBE_VERSION
    )


def runs(run: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of CPU of this process, for each of some runs after one that warms up."""
    run()
    taken = []
    for _ in range(times):
        started = time.process_time()
        run()
        taken.append((time.process_time() - started) * 1000)
    return taken


def cpu(run: Callable[[], object], times: int = 3) -> float:
    """The least of them: what else runs on a machine only adds."""
    return min(runs(run, times))


def noise(taken: list[float]) -> float:
    """How far the middle of the runs lies above the least, as a part of it."""
    return max(LEAST_NOISE, statistics.median(taken) / min(taken) - 1)


def parts(found: list[Inputs]) -> tuple[dict[str, float], float]:
    """CPU of one release by what is done, in ms: the whole, and where it goes. And the noise of the whole."""
    renderer, many = SdkRenderer(), len(found)
    packed = archive(CHART, schemas=False)
    layers = [[read_values(path).data for path in one.values] for one in found]
    rendered = [
        renderer.render(packed, layer, one.target, notes=True)
        for layer, one in zip(layers, found, strict=True)
    ]
    releases = [release.render(one, renderer, notes=True) for one in found]

    def render() -> None:
        for layer, one in zip(layers, found, strict=True):
            renderer.render(packed, layer, one.target, notes=True)

    def read() -> None:
        for one in rendered:
            for source, text in one.templates.items():
                parse(text, source)

    whole = runs(lambda: examine.releases(found, renderer, [DEFAULT_KUBE_VERSION], brief=True), 5)
    return {
        "whole check": min(whole) / many,
        "of it rendering": cpu(render) / many,
        "of it reading the YAML": cpu(read) / many,
        "of it all rules": cpu(lambda: [checks.run(one) for one in releases]) / many,
    }, noise(whole)


def rules(found: list[Inputs], shown: int = 8) -> list[tuple[str, float]]:
    """The dearest rules in ms per release. What several rules share is paid by the first that asks."""
    spent: dict[str, float] = defaultdict(float)
    for one in found:
        subject = release.render(one, SdkRenderer(), notes=True)
        for name, rule in sorted(checks.RULES.items()):
            if rule.per_release:
                started = time.process_time()
                rule.judge(subject)
                spent[name] += time.process_time() - started
    dearest = sorted(spent.items(), key=lambda item: -item[1])[:shown]
    return [(name, seconds * 1000 / len(found)) for name, seconds in dearest]


def copies(folder: Path, count: int) -> Path:
    """So many models, each a copy of one of ours under a name of its own, in prod only."""
    sources = sorted(path for path in (ROOT / "values/models").iterdir() if (path / "envs/prod").is_dir())
    for number in range(count):
        source, target = sources[number % len(sources)], folder / f"m{number:04}"
        shutil.copytree(source, target, ignore=lambda _, names: set(names) & {"dev", "test", "staging"})
    return folder


def command(models: Path) -> list[str]:
    environments = str(ROOT / "values/environments")
    check = ["check", "--models", str(models), "--environments", environments, "--format", "json"]
    return [sys.executable, "-m", "llmops.cli", *check]


def run_all(commands: list[list[str]]) -> float:
    """Seconds until all of the processes, started together, have ended; findings are no failure."""
    started = time.perf_counter()
    running = [subprocess.Popen(one, cwd=ROOT, stdout=subprocess.DEVNULL) for one in commands]
    if any(one.wait() not in (0, 1) for one in running):
        raise SystemExit("bench-check: llmops check did not end as it should")
    return time.perf_counter() - started


def local_schemas(folder: Path, found: list[Inputs]) -> str:
    """A schema per kind, with only the definitions that it reaches; where kubeconform is told to look."""
    for one in found:
        for obj in release.render(one, SdkRenderer()).objects:
            group, _, version = obj.api_version.rpartition("/")
            suffix = "-".join(part for part in (group.split(".")[0], version) if part)
            file = folder / f"{obj.kind.lower()}-{suffix}.json"
            if not file.exists():
                text = json.dumps(schema.definition(obj.api_version, obj.kind, DEFAULT_KUBE_VERSION))
                file.write_text(text, encoding="utf-8")
    return f"{folder}/{LOCATION}"


def by_programs(one: Inputs, packed: Path, location: str) -> None:
    """`helm template | kubeconform -strict` of one release."""
    files = [part for path in one.values for part in ("-f", str(path))]
    helm = [str(TOOLS / "helm"), "template", one.target.name, str(packed), "-n", one.target.namespace, *files]
    conform = [str(TOOLS / "kubeconform"), "-strict", "-schema-location", location, "-n", "1", "-"]
    helm += ["--kube-version", DEFAULT_KUBE_VERSION]
    rendering = subprocess.Popen(helm, stdout=subprocess.PIPE)
    done = subprocess.run(conform, stdin=rendering.stdout, capture_output=True, text=True, check=False)
    if rendering.wait() or done.returncode:
        raise SystemExit(f"bench-check: {one.target.name}: {done.stdout.strip()[-400:]}")


def against_programs(scratch: Path, count: int) -> tuple[float, float]:
    """Seconds per release of the check and of the two programs; two processes each."""
    halves = [copies(scratch / "half", count // 2), copies(scratch / "other", count // 2)]
    ours = min(run_all([command(half) for half in halves]) for _ in range(2)) / count
    packed = scratch / "llm-stack.tgz"
    packed.write_bytes(archive(CHART))
    some = inputs(halves[0])[: min(30, count // 2)]
    (scratch / "schemas").mkdir()
    location = local_schemas(scratch / "schemas", some)
    theirs = []
    for _ in range(2):
        started = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda one: by_programs(one, packed, location), some))
        theirs.append((time.perf_counter() - started) / len(some))
    return ours, min(theirs)


def growth(scratch: Path, sizes: list[int]) -> list[tuple[int, float, float]]:
    """(releases, ms of CPU each, largest memory in MiB) of one process of the command."""
    rows = []
    for size in sizes:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = "import resource, runpy, sys; sys.argv = sys.argv[1:]\n"
        code += "try: runpy.run_module('llmops.cli', run_name='__main__')\n"
        code += "finally: sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))"
        arguments = command(copies(scratch / f"n{size}", size))[3:]
        done = subprocess.run(
            [sys.executable, "-c", code, "llmops", *arguments],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        rows.append((size, spent * 1000 / size, int(done.stderr.split()[-1]) / 1024))
    return rows


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=1000, help="largest number of them, 10 or more")
    largest = max(10, parser.parse_args().releases)
    found = inputs(ROOT / "values/models")
    spent, spread = parts(found)
    whole = spent["whole check"]
    for name, each in spent.items():
        say(f"{name:32} {each:7.1f} ms CPU a release  {each / whole:6.1%}")
    for name, each in rules(found):
        say(f"  {name:30} {each:7.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # Compiled once, as in any installation after its first run.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(scratch / "bytecode")
        ours, theirs = against_programs(scratch, min(largest, 300))
        say(f"{'check, two processes':32} {ours * 1000:7.1f} ms a release")
        say(f"{'helm | kubeconform, two of each':32} {theirs * 1000:7.1f} ms a release")
        rows = growth(scratch, [largest // 10, largest // 3, largest])
        one = [*command(ROOT / "values/models/qwen3-8b"), "--env", "prod"]
        starts = [run_all([one]) for _ in range(5)]
    for size, each, memory in rows:
        say(f"{f'{size} releases, one process':32} {each:7.1f} ms CPU a release  {memory:6.0f} MiB at most")
    say(f"{'start-up, one release':32} min {min(starts):.2f} s  median {statistics.median(starts):.2f} s")
    (_, first, small), (_, last, large) = rows[0], rows[-1]
    say(f"goals, missed only beyond the noise of this run, {spread:.0%}:")
    kept = [
        at_most("ms CPU a release", whole, CPU_GOAL, spread),
        at_most("part of the programs' time", ours / theirs, 1 / RATIO_GOAL, spread),
        at_most("growth of CPU a release", last / first, GROWTH_GOAL, spread),
        at_most("growth of memory", large / small, MEMORY_GOAL, spread),
        at_most("s of start-up", min(starts), START_GOAL, spread),
    ]
    say(f"the check is {theirs / ours:.1f} times as fast as the two programs")
    return 0 if all(kept) else 1


def at_most(what: str, measured: float, goal: float, spread: float) -> bool:
    """Says a goal and its measure; False where it is missed by more than the noise."""
    within = measured <= goal * (1 + spread)
    verdict = "met" if measured <= goal else "within the noise" if within else "MISSED"
    say(f"  {what:30} {measured:7.3g} of at most {goal:.3g}  {verdict}")
    return within


if __name__ == "__main__":
    sys.exit(main())
