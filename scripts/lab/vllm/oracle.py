"""`python -m lab.vllm oracle [CASE…]`: vLLM's own code asked what models take, and its answers written into a file.

tests/capacity/oracle/cases.yaml has models (config.json) and cases (the engine's values, a GPU, a pool);
tests/capacity/oracle/VERSION.yaml gets an answer for each, and a test holds the fit against it. Nothing is computed and
no weights are there, so a case takes about ten seconds on one processor.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lab import ROOT
from lab.vllm import packages
from lab.vllm.build import OVERLAY, Built
from lab.vllm.whole import GIB, BuildError, nice, say, whole

CASES = ROOT / "tests/capacity/oracle/cases.yaml"
ANSWERS = CASES.with_name(f"{OVERLAY}.yaml")
GPUS = ROOT / "scripts/llmops/data/gpus.yaml"
# Models of pictures import it; the engine on processors does without.
PICTURES = ROOT / "requirements/vllm-oracle.txt"
# Values of the engine -> arguments of vLLM.
_ARGUMENTS = {
    "maxModelLen": "max_model_len",
    "maxNumSeqs": "max_num_seqs",
    "maxNumBatchedTokens": "max_num_batched_tokens",
    "kvCacheDtype": "kv_cache_dtype",
    "prefixCaching": "enable_prefix_caching",
}
_SECONDS = 180
# Multiprocessors are asked for and decide nothing that is planned.
_UNITS = 132


def run(built: Built, names: Sequence[str]) -> int:
    """Asks for the named cases, or all, and writes the answers; those of other cases stay. Exit status."""
    table = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    gpus = yaml.safe_load(GPUS.read_text(encoding="utf-8"))
    wanted = {name: case for name, case in table["cases"].items() if not names or name in names}
    if unknown := set(names) - set(wanted):
        raise BuildError(
            f"there is no case {min(unknown)}: {CASES.relative_to(ROOT)} has {', '.join(table['cases'])}"
        )
    known = yaml.safe_load(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else {}
    for name, case in wanted.items():
        known[name] = ask(built, question(case, table["models"][case["model"]], gpus[case["gpu"]]))
        say(f"{name}: {json.dumps(known[name])}")
    lines = [f"{name}: {json.dumps(known[name])}" for name in table["cases"] if name in known]
    head = f"# What vLLM {OVERLAY} plans for cases.yaml: written by `make fit-oracle`."
    ANSWERS.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return 0


def question(case: Mapping[str, Any], config: Mapping[str, Any], gpu: Mapping[str, Any]) -> dict[str, Any]:
    """What lab.vllm.plan reads."""
    engine = case.get("engine", {})
    major, minor = str(gpu["capability"]).split(".")
    return {
        "config": {**config, **_expanded(config)},
        "device": {
            "name": gpu["nodeLabels"][0].replace("-", " ", 1),
            "capability": [int(major), int(minor)],
            "units": _UNITS,
            "mib": gpu["reportedMiB"],
        },
        "tensor": engine.get("parallelism", {}).get("tensor", 1),
        "kvGiB": case["kvGiB"],
        "engine": dict(_arguments(engine)),
    }


def _arguments(engine: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, argument in _ARGUMENTS.items():
        if key in engine:
            yield argument, engine[key]
    if guess := engine.get("speculative"):
        yield "speculative_config", {"method": guess["method"], "num_speculative_tokens": guess["tokens"]}
    for flag in engine.get("extraArgs", []):
        name, _, value = flag.removeprefix("--").replace("-", "_").partition("=")
        if name.startswith("no_"):
            yield name.removeprefix("no_"), False
        else:
            yield name, int(value) if value.isdecimal() else value or True


def _expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of modules with a name for each layer, as checkpoints have them: the cases write `layers.*`."""
    own = dict(config.get("quantization_config") or {})
    text = config.get("text_config") or config
    counts = {
        "layers.*": text["num_hidden_layers"],
        "blocks.*": (config.get("vision_config") or {}).get("depth", 0),
    }
    for key in ("modules_to_not_convert", "ignore"):
        if isinstance(own.get(key), list):
            own[key] = [full for name in own[key] for full in _each(name, counts)]
    return {"quantization_config": own} if own else {}


def _each(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    if name.startswith("re:"):
        yield name
        return
    for mark, count in counts.items():
        if mark in name:
            yield from (name.replace(mark, mark.replace("*", str(layer))) for layer in range(count))
            return
    yield name


def ask(built: Built, case: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of one process."""
    extra = whole(built.folder.with_name(f"{built.folder.name}.pictures"), _pictures, GIB // 4)
    path = [*built.path(), str(extra / "site"), str(ROOT / "scripts")]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "case.json"
        file.write_text(json.dumps(case), encoding="utf-8")
        done = subprocess.run(
            nice([sys.executable, "-m", "lab.vllm.plan", str(file)]),
            env=built.environment(PYTHONPATH=":".join(path)),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not answers:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no word")
        raise BuildError(f"vLLM {OVERLAY} ended without an answer: {last}")
    found: dict[str, Any] = json.loads(answers[-1])
    return found


def _pictures(scratch: Path) -> None:
    packages.install(PICTURES, scratch / "site", scratch / "store", GIB // 4)
