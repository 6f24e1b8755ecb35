"""A GPU that is not there, as far as vLLM's planner looks: for a process that builds models without a byte of memory.

`gpu()` comes before any import of vLLM, `libraries()` and `platform()` after it. Nothing is computed: kernels are
placeholders, and groups of any size are in one process.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

MIB = 2**20
# Compiled parts of vLLM, and libraries of kernels that need a GPU to be imported.
_COMPILED = ("_C_stable_libtorch", "_moe_C_stable_libtorch", "_qutlass_C", "_C", "_moe_C")
_COMPILED_ATTENTION = ("_vllm_fa2_C", "_vllm_fa3_C")
_ABSENT = ("cuda", "cutlass", "tilelang", "quack")
_OPERATORS = ("_C", "_moe_C", "vllm", "_vllm", "_flashmla", "_qutlass")


@dataclass(frozen=True)
class Device:
    """What an engine asks of a GPU: its name, compute capability, multiprocessors and memory in MiB."""

    name: str
    capability: tuple[int, int]
    units: int
    mib: int


class Anything:
    """Stands for a name of a library of kernels: may be called, indexed, joined and asked for more."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *given: Any, **named: object) -> Any:
        return given[0] if len(given) == 1 and callable(given[0]) and not named else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> Any:
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __mro_entries__(self, _: object) -> tuple[type, ...]:
        return ()

    def __or__(self, _: object) -> Any:
        return self

    __ror__ = __or__


class Placeholder(ModuleType):
    """A module of which every name is there."""

    __path__: list[str] = []  # noqa: RUF012 as the import system has it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # CUDA's binding is used in annotations and as bases, so its names are classes.
        if name.startswith("CU") or self.__name__.split(".")[0] == "cuda":
            return type(name, (), {"__init__": lambda _self, *_a, **_k: None})
        return Anything()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a placeholder for each library that needs a GPU."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:  # noqa: ARG002
        if name.split(".")[0] not in _ABSENT:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return Placeholder(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


class OnMeta(TorchFunctionMode):  # type: ignore[misc]
    """Sends to the meta device what names a GPU, so that no byte is allocated."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        called = getattr(func, "__name__", "")
        if called in ("cuda", "pin_memory") and args and isinstance(args[0], torch.Tensor):
            return args[0]
        if "device" in named:
            named["device"] = _meta(named["device"])
        named.pop("pin_memory", None)
        if called in ("to", "empty", "zeros"):
            args = tuple(_meta(one) if isinstance(one, torch.device | str) else one for one in args)
        return func(*args, **named)


def _meta(device: Any) -> Any:
    if isinstance(device, int) and not isinstance(device, bool):
        return torch.device("meta")
    return torch.device("meta") if str(device).startswith("cuda") else device


def gpu(device: Device, count: int) -> None:
    """torch.cuda says that there are `count` of this device."""
    properties = SimpleNamespace(
        name=device.name,
        major=device.capability[0],
        minor=device.capability[1],
        multi_processor_count=device.units,
        total_memory=device.mib * MIB,
        warp_size=32,
        shared_memory_per_block_optin=232448,
        shared_memory_per_multiprocessor=233472,
        L2_cache_size=50 * MIB,
        max_threads_per_multi_processor=2048,
        regs_per_multiprocessor=65536,
        gcnArchName="",
    )
    answers = {
        "is_available": True,
        "device_count": count,
        "current_device": 0,
        "get_device_capability": device.capability,
        "get_device_name": device.name,
        "get_device_properties": properties,
        "mem_get_info": (device.mib * MIB, device.mib * MIB),
        "is_initialized": False,
        "memory_reserved": 0,
        "memory_allocated": 0,
        "max_memory_allocated": 0,
        "current_stream": Anything(),
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, _always(answer))
    for name in ("set_device", "synchronize", "empty_cache", "_lazy_init"):
        setattr(torch.cuda, name, _always(None))
    for place in (torch.cuda, torch):
        place.Stream = place.Event = Anything
    for name in _COMPILED:
        sys.modules[f"vllm.{name}"] = ModuleType(f"vllm.{name}")
    for name in _COMPILED_ATTENTION:
        sys.modules[f"vllm.vllm_flash_attn.{name}"] = ModuleType(name)
    for name in ("vllm.vllm_flash_attn.cute", "vllm.vllm_flash_attn.cute.interface"):
        sys.modules[name] = Placeholder(name)
    # Its own search for CUDA's binding must not find the placeholder.
    try:
        __import__("xgrammar")
    except ImportError:
        sys.stderr.write("no xgrammar\n")
    sys.meta_path.append(Finder())


def _always(answer: object) -> Callable[..., Any]:
    return lambda *_a, **_k: answer


def platform(device: Device, count: int) -> None:
    """vLLM is on CUDA, with a platform that answers from `device`."""
    from vllm import platforms
    from vllm.platforms.cuda import CudaPlatformBase
    from vllm.platforms.interface import DeviceCapability

    answers = {
        "get_device_capability": DeviceCapability(*device.capability),
        "get_device_name": device.name,
        "get_device_total_memory": device.mib * MIB,
        "is_fully_connected": True,
        "get_device_numa_node": None,
        "get_all_device_numa_nodes": None,
        "device_count": count,
        "import_kernels": None,
        "is_pin_memory_available": False,
        "num_compute_units": device.units,
        "get_device_uuid": "GPU-0",
        "log_warnings": None,
        "set_device": None,
    }
    methods = {name: classmethod(_always(answer)) for name, answer in answers.items()}
    platforms._current_platform = type("Pretended", (CudaPlatformBase,), methods)()


def libraries() -> None:
    """Triton without a compiler, operators that say yes, and models that are looked at in this very process."""
    import vllm._custom_ops  # registers its operators, which ends where they are placeholders
    import vllm.triton_utils as triton_utils
    import vllm.utils.import_utils as present
    import vllm.vllm_flash_attn  # noqa: F401 likewise
    from vllm.model_executor.models import registry

    triton_utils.triton.Config = lambda kwargs=None, **more: SimpleNamespace(kwargs=kwargs or {}, **more)
    for kind in (type(triton_utils.triton), type(triton_utils.triton.language)):
        kind.__getattr__ = lambda _self, name: _named(name)
    registry._run_in_subprocess = lambda function: function()
    registry._LazyRegisteredModel._save_modelinfo_to_cache = _always(None)
    for name in ("has_deep_gemm", "has_tilelang"):
        setattr(present, name, lambda: True)
    plain = torch._ops._OpNamespace.__getattr__

    def operator(self: Any, name: str) -> Any:
        try:
            return plain(self, name)
        except AttributeError:
            if name.startswith("__") or not self.name.startswith(_OPERATORS):
                raise
            return _Operator(name)

    torch._ops._OpNamespace.__getattr__ = operator


def _named(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return Anything()


class _Operator(Anything):
    """A kernel that a build for CUDA has; asked whether it can do something it says yes."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *_: object, **__: object) -> Any:
        return True


def one_process(world: int, rank: int) -> None:
    """torch.distributed with a group of `world` ranks of which this process is one and the others are nobody."""
    import vllm.distributed.parallel_state as parallel
    from torch.testing._internal.distributed.fake_pg import FakeStore

    torch.distributed.init_process_group(backend="fake", rank=rank, world_size=world, store=FakeStore())
    new_group, start = torch.distributed.new_group, parallel.GroupCoordinator.__init__
    torch.distributed.new_group = lambda ranks=None, **_: new_group(ranks, backend="fake")

    def plain(*given: Any, **named: Any) -> None:
        bound = inspect.signature(start).bind(*given, **named)
        bound.arguments.update(use_device_communicator=False, use_message_queue_broadcaster=False)
        start(*bound.args, **bound.kwargs)

    parallel.GroupCoordinator.__init__ = plain


def quiet() -> None:
    """Settings of the process: offline, one thread, and words only where something fails."""
    os.environ.update(
        HF_HUB_OFFLINE="1",
        VLLM_NO_USAGE_STATS="1",
        VLLM_LOGGING_LEVEL="ERROR",
        CUDA_VISIBLE_DEVICES="",
        OMP_NUM_THREADS="1",
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        VLLM_USE_DEEP_GEMM="0",
    )
