"""Empty libraries in the place of CUDA's, so that PyPI's PyTorch, linked to them, loads without 2.7 GB of them.

Its processor kernels call none of their functions; whoever does gets the error that says that there is no device.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.vllm.whole import BuildError

TOOLS = {"gcc": "gcc", "readelf": "binutils", "nm": "binutils"}
_CUDA = re.compile(r"lib(cu|nv|nccl)")
# It comes with a driver, is only ever opened by name, and its absence is what says that there is none.
_DRIVER = "libcuda.so.1"
# Functions whose symbol names no version of a library, by their beginning.
_BY_NAME = {
    "cuFile": "libcufile.",
    "nccl": "libnccl.",
    "nvshmem": "libnvshmem_host.",
    "cusparseLt": "libcusparseLt.",
}
_NO_DEVICE = 100  # cudaErrorNoDevice
# Called while libraries load, where an error would end the process.
_FINE = ("__cuda", "cudaGetLastError", "cudaPeekAtLastError")


def need_tools() -> None:
    """BuildError names the Debian packages that are missing."""
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    if missing:
        raise BuildError(
            f"{' and '.join(sorted(missing))} missing: apt-get install {' '.join(sorted(missing))}"
        )


def write_stubs(folder: Path) -> None:
    """Writes the missing libraries beside those that need them."""
    for library, symbols in missing(folder).items():
        source, versions = folder / f"{library}.c", folder / f"{library}.map"
        source.write_text(c_source(symbols), encoding="ascii")
        versions.write_text(version_script(symbols), encoding="ascii")
        words = ["gcc", "-shared", "-fPIC", "-w", "-O1", f"-Wl,-soname,{library}", str(source)]
        if any(symbols.values()):
            words.append(f"-Wl,--version-script={versions}")
        _run([*words, "-o", str(folder / library)])
        source.unlink()
        versions.unlink()


def missing(folder: Path) -> dict[str, dict[str, str]]:
    """CUDA library that is needed and not there -> function -> the version that its callers are linked to, or ""."""
    needed, asked = set[str](), dict[str, str]()
    for library in folder.glob("lib*.so"):
        needed |= set(re.findall(r"NEEDED.*\[(.*)\]", _run(["readelf", "-d", str(library)])))
        for line in _run(["nm", "-D", "--undefined-only", str(library)]).splitlines():
            name, _, version = line.split()[-1].partition("@")
            asked[name] = version.lstrip("@") or asked.get(name, "")
    absent = {one for one in needed if _CUDA.match(one) and one != _DRIVER and not (folder / one).exists()}
    found: dict[str, dict[str, str]] = defaultdict(dict, {one: {} for one in sorted(absent)})
    for name, version in asked.items():
        start = next((beginning for begin, beginning in _BY_NAME.items() if name.startswith(begin)), "\0")
        for one in absent:
            if version == one or one.startswith(start):
                found[one][name] = version
    return dict(found)


def c_source(symbols: Iterable[str]) -> str:
    lines = ["static void *room[8];"]
    for name in sorted(symbols):
        if name == "__cudaRegisterFatBinary":
            lines.append(f"void **{name}(void) {{ return room; }}")
        elif re.search(r"GetError(String|Name)$|String$", name):
            lines.append(f'const char *{name}(void) {{ return "no CUDA device"; }}')
        else:
            lines.append(f"long {name}(void) {{ return {0 if name.startswith(_FINE) else _NO_DEVICE}; }}")
    return "\n".join(lines) + "\n"


def version_script(symbols: Mapping[str, str]) -> str:
    by_version: dict[str, list[str]] = defaultdict(list)
    for name, version in sorted(symbols.items()):
        if version:
            by_version[version].append(name)
    return "".join(
        f"{version} {{ global: {' '.join(f'{one};' for one in names)} }};\n"
        for version, names in by_version.items()
    )


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(
            f"{words[0]} failed on {words[-1]}: {done.stderr.strip().splitlines()[-1:] or 'no word'}"
        )
    return done.stdout
