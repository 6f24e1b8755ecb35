"""Scripts of attackers that were handed over, each in a process of its own against a gate and an exporter on loopback.

Of each: what the controller is told of two updates before and after, /healthz meanwhile, and memory against the charts'
limits. A script that is no service's attacker is known by its name: it plants secrets, or plays a server.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attack import watching
from tests.attack.canaries import CANARIES, NAMESPACE, POLICY, prometheus, question
from tests.attack.estate import RIGHT, Estate, Program, cluster, decided, estate, program
from tests.services.gates import request, said, selector
from tests.waiting import free_port, listens, until

ROOT = Path(__file__).parents[2]
SECONDS = 240
Row = dict[str, Any]
# Words of a script's own account of its arguments; a choice [a|b] is tried in every way.
_USAGE = re.compile(r"usage: [\w.]+\.py ([^\n\"]+)")
_WORDS = {"GATE": "{gate}", "GATE_URL": "{gate}", "URL": "{gate}", "EXPORTER": "{exporter}", "HOST": "127.0.0.1",
          "PORT": "{port}", "PID": "{pid}", "N": "200", "SECONDS": "12", "NAME": CANARIES[0].release}  # fmt: skip
_TOKEN = "of-the-gate-for-prometheus"  # noqa: S105 planted


def run(folder: Path) -> Iterator[Row]:
    """A row for each script and way to call it."""
    for file in sorted(folder.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "ThreadingHTTPServer" in text or "HTTPServer((" in text:
            yield from _played(file, text, folder)
        elif '"render"' in text:
            yield _planted(file)
        else:
            yield from (_attacked(file, arguments) for arguments in ways(text))


def ways(text: str) -> list[list[str]]:
    """The lists of arguments that the first line of a script names, with placeholders. None where it names none."""
    usage = _USAGE.search(text)
    found: list[list[str]] = [[]]
    for word in usage[1].split() if usage else ():
        if word.startswith("["):
            found = [[*before, one] for before in found for one in ("", *word.strip("[]").split("|"))]
        elif word in _WORDS:
            found = [[*before, _WORDS[word]] for before in found]
        else:
            # A word that stands for itself in the code, with the numbers that some of them need.
            choices = re.findall(rf'{word} == "(\w+)"', text)
            found = [[*before, one, "{pid}", "480"] for before in found for one in choices]
    return [[one for one in arguments if one] for arguments in found] if usage else []


def _attacked(file: Path, arguments: list[str]) -> Row:
    named = [one for one in arguments if not one.startswith("{")]
    case = " ".join([file.name, *named])
    with (
        cluster() as (folder, api),
        prometheus() as url,
        estate(folder, url, api) as gate,
        program("results", folder) as exporter,
    ):
        before = gate.outcomes()
        known = {
            "gate": gate.gate.url,
            "exporter": exporter.url,
            "port": str(gate.program.port),
            "pid": str(gate.program.process.pid),
        }
        with watching.watched(gate.program.port) as latencies, watching.watched(exporter.port) as others:
            began = time.monotonic()
            status = _ended(file, [one.format(**known) for one in arguments], folder)
            seconds = time.monotonic() - began
        after = decided(gate)
        faults = [f"the controller is told {after}, not {RIGHT}" for _ in range(after != RIGHT)]
        sizes, late = [], []
        for one, chart, looks in (
            (gate.program, "canary-gate", latencies),
            (exporter, "drift-cronjob", others),
        ):
            sizes.append((watching.resident(one.process.pid), watching.limit(chart)))
            late.append(watching.percentile(looks))
            faults += _wrong(one, *sizes[-1], late[-1])
    return {
        "case": case,
        "status": status,
        "seconds": round(seconds, 2),
        "mebibytes": sizes[0][0],
        "limits": " ".join(
            f"{name} {used}/{most} MiB"
            for name, (used, most) in zip(("gate", "exporter"), sizes, strict=True)
        ),
        "healthz p99": f"{max(late):.3f} s",
        "verdict": f"{before} -> {after}",
        "fault": "; ".join(faults),
    }


def _wrong(one: Program, used: int, most: int, late: float) -> Iterator[str]:
    log = one.log.read_text(encoding="utf-8", errors="replace")
    if one.process.poll() is not None:
        yield f"it ended with {one.process.returncode}"
    if used > most:
        yield f"{used} MiB are over the limit of {most}"
    if late > watching.HEALTHY:
        yield f"p99 of /healthz is {late:.2f} s"
    if "Traceback" in log or re.search(r"(?m)^500 ", log):
        yield f"its log: {log[-300:]}"


def _ended(file: Path, arguments: list[str], folder: Path, seconds: float = SECONDS) -> str:
    """How a script ended; what it wrote is for who runs it, not for us."""
    command = [sys.executable, str(file), *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"ended after {seconds:g} s"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return f"exit status {done.returncode}: {lines[-1][:100] if lines else ''}"


@contextlib.contextmanager
def _serving(file: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    """A script that plays a server; its port, and a file with what it says."""
    port, output = free_port(), folder / f"{file.stem}.txt"
    with (
        output.open("wb") as words,
        subprocess.Popen([sys.executable, str(file), str(port)], stdout=words, stderr=words) as process,
    ):
        try:
            until(lambda: listens(port) or process.poll() is not None, f"{file.name} listens")
            yield port, output
        finally:
            process.kill()


def _played(file: Path, text: str, folder: Path) -> Iterator[Row]:
    """A script that plays Prometheus in many ways, and another that is where it sends who asks: nothing ever passes."""
    modes = sorted(set(re.findall(r'\bm == "(\w+)"', text)) | set(re.findall(r'"(nan|inf|neg|word)":', text)))
    other = next(
        (one for one in sorted(folder.glob("*.py")) if "OTHER HOST GOT" in one.read_text(encoding="utf-8")),
        None,
    )
    if not modes or other is None:
        return
    releases = [(NAMESPACE, f"m-{mode}") for mode in modes]
    with (
        cluster(*releases) as (scratch, api),
        _serving(file, scratch) as (port, _),
        _serving(other, scratch) as (elsewhere, heard),
    ):
        url = f"http://127.0.0.1:{port}"
        with estate(scratch, url, api, "--timeout=1", PROMETHEUS_TOKEN=_TOKEN) as gate:
            for mode in ("normal", *modes):
                began = time.monotonic()
                _set(f"{url}/mode?m={mode}&to=http://localhost:{elsewhere}/")
                with watching.watched(gate.program.port) as latencies:
                    sound = mode == "normal"
                    outcome = _asked(gate, CANARIES[0].release if sound else f"m-{mode}", 10 if sound else 1)
                used, late = watching.resident(gate.program.process.pid), watching.percentile(latencies)
                faults = list(_wrong(gate.program, used, watching.limit("canary-gate"), late))
                faults += [
                    f"a bad canary: {outcome}"
                    for _ in range(outcome == "pass" or (sound and outcome != "fail"))
                ]
                faults += [
                    "the token went to another host"
                    for _ in range(_TOKEN in heard.read_text(encoding="utf-8"))
                ]
                yield {
                    "case": f"{file.name} {mode}",
                    "status": outcome,
                    "seconds": round(time.monotonic() - began, 2),
                    "mebibytes": used,
                    "healthz p99": f"{late:.3f} s",
                    "fault": "; ".join(faults),
                }


def _asked(gate: Estate, release: str, looks: int = 1) -> str:
    """What a look says about the bad canary: an outcome, or the status of an error."""
    own = {"release": release, "policy": {**POLICY, "looks": [looks], "minRequests": 5}}
    text = selector("llm_gate_verdict", {**question(CANARIES[0]), **own})
    gate.gate.query(text, namespace=NAMESPACE)
    outcome, ends = "wait", time.monotonic() + 20
    # One look shows how an answer was taken; of the right ones there are as many as a verdict needs.
    while outcome == "wait" and time.monotonic() < ends:
        time.sleep(1.1)
        status, document = gate.gate.query(text, namespace=NAMESPACE)
        outcome = str(said(document)["outcome"]) if status == 200 else f"{status}: {document['error'][:80]}"
        if looks == 1:
            break
    return outcome


def _set(url: str) -> None:
    request(url, body=b"")


def _planted(file: Path) -> Row:
    """A script that plants secrets in values and tells where it saw them; a manifest is what a cluster gets."""
    began = time.monotonic()
    with cluster() as (folder, _):
        (folder / "sec").mkdir()
        (folder / "repo/.venv/bin").mkdir(parents=True)
        (folder / "repo/.venv/bin/llmops").symlink_to(Path(sys.executable).with_name("llmops"))
        (folder / "repo/charts").symlink_to(ROOT / "charts")
        done = subprocess.run(
            [sys.executable, str(file)], cwd=folder, capture_output=True, text=True, timeout=900, check=False
        )
    shown = [
        line for line in done.stdout.splitlines() if not re.search(r"shown in: (?:-|manifest)\s*$", line)
    ]
    cases = len(done.stdout.splitlines())
    faults = shown or [done.stderr[-300:] for _ in range(done.returncode != 0 or not cases)]
    return {"case": file.name, "status": f"{cases} secrets, {len(shown)} shown", "seconds": 0.0, "mebibytes": 0,
            "whole": round(time.monotonic() - began, 1), "fault": "; ".join(faults)}  # fmt: skip
