"""One batch of cases in a process of its own; a JSON line each: `python -m tests.attack.worker FAMILY SEED COUNT`."""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from llmops import examine, release
from llmops.capacity import fit, table
from llmops.findings import InputError, RefusedError, Severity
from llmops.render import Target
from llmops.render.sdk import SdkRenderer
from llmops.report import formats
from tests.attack.mutate import spoilt, spoilt_text

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "values/models").rglob("config.json"))
CHARTS = ("vllm-inference", "canary-gate", "alert-rules", "gpu-hpa", "drift-cronjob", "llm-gitops")
Case = Callable[[], str]
"""Runs one input to its end and says how it ended; whatever it raises beyond refusals is a fault."""


def configs(chance: random.Random) -> Iterator[Case]:
    """Figures of a model, spoilt as data and as text."""
    values = {"engine": {"maxModelLen": 4096}, "global": {"llm": {"gpu": {"product": "H100-80GB"}}}}
    folder = Path(tempfile.mkdtemp())
    file = folder / "config.json"

    def case() -> str:
        config = spoilt(json.loads(chance.choice(MODELS).read_text(encoding="utf-8")), chance)
        text = json.dumps(config)
        file.write_text(
            spoilt_text(text, chance) if chance.random() < 0.2 else text, encoding="utf-8", errors="replace"
        )
        read = release._read_json.__wrapped__(file, 0)
        judged = release.Release("m", "llm", "1.35", [], values=values, model=read)
        errors = [one for one in fit.reasons(judged) if one.severity is Severity.ERROR]
        found = fit.from_release(judged) if not errors else None
        if found:
            table.document([table.Named("m", "prod", found, (), 0.05)])
        return "finding" if errors else found.verdict.value if found else "no verdict"

    while True:
        yield case


def values(chance: random.Random) -> Iterator[Case]:
    """Values of our charts, spoilt."""
    folder, renderer = Path(tempfile.mkdtemp()), SdkRenderer()
    file = folder / "values.yaml"
    shared = yaml.safe_load((ROOT / "values/models/qwen3-8b/values.yaml").read_text(encoding="utf-8"))

    def case() -> str:
        chart = chance.choice(CHARTS)
        own = yaml.safe_load((ROOT / f"charts/{chart}/values.yaml").read_text(encoding="utf-8")) or {}
        whole = {**own, "global": shared.get("global", {})}
        text = yaml.safe_dump(spoilt(whole, chance))
        file.write_text(
            spoilt_text(text, chance) if chance.random() < 0.1 else text, encoding="utf-8", errors="replace"
        )
        inputs = release.Inputs(ROOT / "charts" / chart, (file,), Target("rel", "llm"))
        return _told(examine.releases([inputs], renderer, ["1.35"]), chance)

    while True:
        yield case


def manifests(chance: random.Random) -> Iterator[Case]:
    """Objects as our charts render them, spoilt."""
    renderer = SdkRenderer()
    inputs = release.discover(
        ROOT / "values/models/qwen3-8b",
        env="prod",
        environments=None,
        chart=ROOT / "charts/llm-stack",
        kube_version="1.35",
    )
    objects = [one.data for one in release.render(inputs[0], renderer).objects]

    def case() -> str:
        chosen = spoilt(chance.sample(objects, min(6, len(objects))), chance, 6)
        text = yaml.safe_dump_all(chosen if isinstance(chosen, list) else [chosen])
        if chance.random() < 0.2:
            text = spoilt_text(text, chance)
        return _told(examine.manifests(text, "spoilt.yaml", ["1.35"]), chance)

    while True:
        yield case


def _told(reports: Any, chance: random.Random) -> str:
    """How a check ended; the report must come out in every form, and is tried in one of them."""
    formats.render(chance.choice(("text", "json", "sarif", "junit", "html")), reports, Severity.ERROR)
    return "finding" if any(report.findings for report in reports) else "fine"


FAMILIES = {"configs": configs, "values": values, "manifests": manifests}


def main(family: str, seed: str, count: str) -> None:
    chance = random.Random(f"{family} {seed}")  # noqa: S311 cases, no secrets
    cases = FAMILIES[family](chance)
    for number in range(int(count)):
        began, fault = time.monotonic(), ""
        try:
            status = next(cases)()
        except (InputError, RefusedError) as error:
            status = "unreadable" if isinstance(error, InputError) else "refused"
            fault = "" if "Traceback" not in str(error) else str(error)
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))[-1600:]
            status, fault = "traceback", f"{frames}{type(error).__name__}: {str(error)[:300]}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        line = {
            "case": f"{family}-{seed}-{number}",
            "status": status,
            "seconds": round(time.monotonic() - began, 3),
        }
        sys.stdout.write(json.dumps({**line, "mebibytes": peak, "fault": fault[-2000:]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
