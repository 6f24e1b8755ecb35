"""Which data type a machine computes in: recorded processors, and children that die as a real one was seen to."""

from __future__ import annotations

import os
import sys

import pytest

from lab.vllm.processor import data_type, read, survives
from lab.vllm.whole import BuildError

pytestmark = pytest.mark.real

# Of /proc/cpuinfo: name and the flags that matter.
SAPPHIRE = (
    "Intel(R) Xeon(R) Platinum 8481C: avx2 avx512f avx512bw avx512vl avx512_bf16 amx_bf16 amx_tile amx_int8"
)
COOPER = "Intel(R) Xeon(R) Platinum 8376H: avx2 avx512f avx512bw avx512vl avx512_bf16 avx512_vnni"
ZEN4 = "AMD EPYC 9654 96-Core Processor: avx2 avx512f avx512bw avx512vl avx512_bf16 avx512_vnni"
CASCADE = "Intel(R) Xeon(R) Gold 6248R: avx2 avx512f avx512bw avx512vl avx512_vnni"
ZEN3 = "AMD Ryzen 7 5800X 8-Core Processor: avx avx2 fma f16c"
ALDER = "12th Gen Intel(R) Core(TM) i7-1260P: avx avx2 avx_vnni fma f16c"
# A hypervisor that hides what bfloat16 stands on.
MASKED = "QEMU Virtual CPU: avx2 avx512_bf16"


def cpuinfo(processor: str) -> str:
    name, _, flags = processor.partition(": ")
    one = f"processor\t: 0\nmodel name\t: {name}\ncache size\t: 1024 KB\nflags\t\t: fpu sse2 {flags}\nbugs\t\t:\n"
    return f"{one}\n{one.replace('processor	: 0', 'processor	: 1')}"


@pytest.mark.parametrize(
    ("processor", "executes", "wanted", "tried"),
    [
        (SAPPHIRE, True, "bfloat16", True),
        # As on the machine that this was written on: AMX is named, and an instruction of it kills the process.
        (SAPPHIRE, False, "float32", True),
        (COOPER, True, "bfloat16", True),
        (ZEN4, True, "bfloat16", True),
        (ZEN4, False, "float32", True),
        (CASCADE, True, "float32", False),
        (ZEN3, True, "float32", False),
        (ALDER, True, "float32", False),
        (MASKED, True, "float32", False),
    ],
)
def test_the_data_type_is_what_the_processor_executes(
    processor: str, executes: bool, wanted: str, tried: bool
) -> None:
    asked: list[bool] = []
    assert data_type(read(cpuinfo(processor)), lambda: not asked.append(True) and executes) == wanted
    assert bool(asked) == tried


@pytest.mark.parametrize(
    "text",
    [cpuinfo("Intel(R) Xeon(R) CPU E5-2670: avx sse4_2"), "processor\t: 0\nFeatures\t: fp asimd bf16\n", ""],
)
def test_a_processor_without_kernels_is_refused_by_name(text: str) -> None:
    with pytest.raises(BuildError, match="has no AVX2"):
        data_type(read(text), lambda: True)


def python(code: str) -> bool:
    return survives([sys.executable, "-c", code], dict(os.environ))


def test_a_child_that_an_instruction_kills_says_no() -> None:
    assert python("pass")
    assert not python("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    # `ud2` itself, from a page of memory that may be executed.
    assert not python(
        "import ctypes, mmap; page = mmap.mmap(-1, 4096, prot=7); page.write(bytes.fromhex('0f0b')); "
        "ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()"
    )


def test_a_child_that_fails_otherwise_decides_nothing() -> None:
    with pytest.raises(BuildError, match="a step in bfloat16 failed \\(exit 1\\): RuntimeError: no memory"):
        python("raise RuntimeError('no memory')")
