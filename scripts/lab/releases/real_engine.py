"""Releases of the real engine on a live cluster: the values of a version, and three ways in which one is bad."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.images.vllm import ENTRYPOINT, MODEL
from lab.releases import gate, golden

FILE = Path(__file__).with_name("real-engine.yaml")
VALUES: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
LATE, WRONG, DOWN = (
    ('"ttft"', '"queue"', '"e2e"'),
    ('"quality"',),
    ('"canary-started"', "timed out progressing"),
)
"""Words of the controller's reason: what may stop a version that lets requests wait, says nonsense, does not start."""
STEPS = VALUES["vllm-inference"]["strategy"]["steps"]
QUALITY: dict[str, Any] = {
    "vllm-inference": {
        # Before any traffic.
        "strategy": {"steps": [{"setCanaryScale": {"replicas": 1}}, {"smoke": {}}, {"quality": {}}, *STEPS]},
        "quality": {
            "enabled": True,
            "goldenSet": {"configMap": golden.NAME, "key": golden.KEY},
            "image": gate.IMAGE,
            "minItems": 50,
            # Of sixty items a version that answers all of them alike cannot exclude a loss of less than six points.
            "margin": 0.1,
        },
    }
}
"""Values that add the quality gate; the golden set is a ConfigMap of the release's namespace."""
IMAGE = "llm-charts.local/vllm-cpu:v0.33.0"
# Of each weight its sign and a power of two are left: a quantization without scales.
DAMAGE = f"""
import pathlib, shutil
import numpy
shutil.copytree("{MODEL}", "/weights/model")
file = pathlib.Path("/weights/model/model.safetensors")
data = bytearray(file.read_bytes())
begin = 8 + int.from_bytes(data[:8], "little")
numbers = numpy.frombuffer(data, "<u2", offset=begin)
numbers &= 0xFF80
file.write_bytes(data)
"""
# Runs a program on every other processor, from the first or the second on.
PINNED = """
import os, sys
cpus = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, cpus[int(sys.argv[1]) :: 2] or cpus)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def version(number: int, **engine: Any) -> dict[str, Any]:
    """Values of one more version; `engine` are keys of the chart's `engine`.

    Versions take turns on half of the processors each, so that a new one cannot slow the one that serves.
    """
    command = ["python3", "-c", PINNED, str(number % 2), *ENTRYPOINT]
    return {"vllm-inference": {"engine": {"command": command, **engine}}}


def slow(number: int) -> dict[str, Any]:
    """One request at a time: all others wait for it."""
    return version(number, maxNumSeqs=1)


def broken(number: int) -> dict[str, Any]:
    """A context that the model does not have: the engine ends before it serves."""
    return version(number, maxModelLen=1_000_000)


def damaged(number: int) -> Mapping[str, Any]:
    """It starts and answers as fast as any; what it says is nonsense."""
    values = version(number)
    values["global"] = {"llm": {"model": {"source": "file:///weights/model"}}}
    mount = {"name": "weights", "mountPath": "/weights"}
    values["vllm-inference"] |= {
        "extraVolumes": [{"name": "weights", "emptyDir": {"sizeLimit": "1Gi"}}],
        "extraVolumeMounts": [mount | {"readOnly": True}],
        "initContainers": [
            {
                "name": "damage",
                "image": IMAGE,
                "command": ["python3", "-c", DAMAGE],
                "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "50m", "memory": "1Gi"}},
                "volumeMounts": [mount],
            }
        ],
    }
    return values
