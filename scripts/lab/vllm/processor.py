"""The data type by what the processor executes, not by what it names: a hypervisor may show AMX and not allow it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.vllm.whole import BuildError

CPUINFO = Path("/proc/cpuinfo")
# Either makes vLLM's kernels take bfloat16 instructions.
_BFLOAT16 = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True)
class Processor:
    name: str
    flags: frozenset[str]


def read(cpuinfo: str) -> Processor:
    """The first processor of a /proc/cpuinfo; ARM spells its flags `Features`."""
    values = dict[str, str]()
    for line in cpuinfo.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        values[key.strip()] = value.strip()
    flags = values.get("flags") or values.get("Features") or ""
    return Processor(values.get("model name", "a processor without a name"), frozenset(flags.split()))


def data_type(processor: Processor, executes: Callable[[], bool]) -> str:
    """`bfloat16` where the processor names its instructions and `executes` one step of them, else `float32`.

    Without AVX-512 vLLM computes bfloat16 as float32 after a conversion for each value, so it would gain nothing.
    BuildError for a processor that no kernel of the published package is for.
    """
    if "avx2" not in processor.flags:
        raise BuildError(
            f"{processor.name} has no AVX2, which vLLM's published kernels need: use another machine, or Docker with "
            f"the image of your processor's maker"
        )
    named = "avx512f" in processor.flags and any(one in processor.flags for one in _BFLOAT16)
    return "bfloat16" if named and executes() else "float32"


def survives(command: Sequence[str], environment: dict[str, str]) -> bool:
    """Whether a child process computes to its end: False where it dies of an instruction that is not allowed.

    BuildError where it fails in another way, with its last line.
    """
    done = subprocess.run(list(command), env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return True
    if done.returncode in (-signal.SIGILL, 128 + signal.SIGILL):
        return False
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no word")
    raise BuildError(f"a step in bfloat16 failed (exit {done.returncode}): {last}")
