"""What the values ask of one engine, read into numbers that the memory estimate needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops.capacity.config import MOST, figure, section
from llmops.capacity.config import text as word
from llmops.capacity.weights import Bytes
from llmops.findings import InputError
from llmops.untyped import below

# vLLM's own default, for plain values that leave the key out.
DEFAULT_UTILIZATION = 0.92

# Per weight of a layer's matrices. 4 bit in groups of 128 have a scale of 16 bit and a zero point of 4 each;
# mxfp4 has a scale of 8 bit for every 32 and is for experts only.
_INT4_BYTES = 0.5 + (2 + 0.5) / 128
_LINEAR_BYTES: Mapping[str, float] = {
    "awq": _INT4_BYTES,
    "awq_marlin": _INT4_BYTES,
    "gptq": _INT4_BYTES,
    "gptq_marlin": _INT4_BYTES,
    "w4a16": _INT4_BYTES,
    "fp8": 1.0,
    "int8": 1.0,
    "w8a8": 1.0,
}
_EXPERTS_ONLY: Mapping[str, float] = {"mxfp4": 0.5 + 1 / 32}
_UNQUANTIZED = ("", "none", "bf16", "bfloat16", "fp16", "float16")
_ELEMENT_BYTES: Mapping[str, int] = {
    # A float32 checkpoint, too, is loaded as 16 bit when dtype is auto.
    "auto": 2,
    "half": 2,
    "float16": 2,
    "bfloat16": 2,
    "float": 4,
    "float32": 4,
}

# Flags of the engine that change what the estimate counts; with one of them there is no verdict.
MEMORY_FLAGS = frozenset(
    {
        "--block-size",
        "--cpu-offload-gb",
        "--data-parallel-size",
        "--dtype",
        "--enable-expert-parallel",
        "--enable-lora",
        "--gpu-memory-utilization",
        "--hf-overrides",
        "--kv-cache-dtype",
        "--kv-cache-memory-bytes",
        "--max-model-len",
        "--num-gpu-blocks-override",
        "--pipeline-parallel-size",
        "--quantization",
        "--speculative-config",
        "--tensor-parallel-size",
        "-dp",
        "-pp",
        "-q",
        "-tp",
    }
)

# Keys under `engine` that change it as much: a draft, adapters and a connector's buffers take memory of the GPU that
# config.json does not tell. Two more are looked at below: copies share the experts of some models, and a prompt that
# is not cut into steps needs room for all of it.
_MEMORY_KEYS = ("speculative.method", "lora.adapters", "lora.runtimeLoading", "kvOffload.sizeGiB")


# An engine without a version is taken for a new one.
NEWEST = (9999,)
_BATCH_FLAG = "--max-num-batched-tokens"


@dataclass(frozen=True)
class Settings:
    """One engine's request. `max_model_len` is in tokens, None for the model's own; bytes are per element.

    `max_num_seqs` and `max_batched_tokens` are None for vLLM's own, which follow the GPU.
    """

    max_model_len: int | None
    utilization: float
    quantization: str
    bytes: Bytes
    kv_dtype: str
    kv_bytes: int
    tensor: int
    pipeline: int
    max_num_seqs: int | None = None
    max_batched_tokens: int | None = None
    enforce_eager: bool = False
    async_scheduling: bool = True
    version: tuple[int, ...] = NEWEST


@dataclass(frozen=True)
class Uncovered:
    """Why there is no estimate for these values, as half a sentence."""

    what: str


def read(
    config: Mapping[str, Any], engine: Mapping[str, Any], quantization: str, prefix: str
) -> Settings | Uncovered:
    """Reads `vllm-inference.engine`; `prefix` is put before the keys that an InputError names.

    What config.json says of its own weights wins over `engine.quantization` (a flag), and that over the
    description in `quantization`.
    """
    flags = _flags(_extra_args(engine))
    if changed := sorted(flags & MEMORY_FLAGS):
        return Uncovered(f"{prefix}engine.extraArgs with {changed[0]}")
    if typed := _uncovered_key(engine, prefix):
        return Uncovered(f"{prefix}engine.{typed}")
    method, odd = _method(config, engine, quantization)
    if odd:
        return Uncovered(odd)
    dtype = str(engine.get("dtype") or "auto").lower()
    if dtype not in _ELEMENT_BYTES:
        return Uncovered(f"dtype {dtype}")
    kv_dtype = str(engine.get("kvCacheDtype") or "auto").lower()
    if kv_dtype != "auto" and not kv_dtype.startswith("fp8") and kv_dtype not in _ELEMENT_BYTES:
        return Uncovered(f"kvCacheDtype {kv_dtype}")
    element_bytes = _ELEMENT_BYTES[dtype]
    parallelism = engine.get("parallelism") or {}
    if not isinstance(parallelism, Mapping):
        raise InputError(f"{prefix}engine.parallelism is {parallelism!r}: write tensor and pipeline under it")
    return Settings(
        max_model_len=_count(engine, "maxModelLen", prefix, None),
        utilization=_utilization(engine, prefix),
        quantization=method or "none",
        bytes=Bytes(
            linear=_LINEAR_BYTES.get(method, float(element_bytes)),
            expert=_EXPERTS_ONLY.get(method, _LINEAR_BYTES.get(method, float(element_bytes))),
            element=float(element_bytes),
        ),
        kv_dtype=kv_dtype,
        kv_bytes=_kv_bytes(kv_dtype, element_bytes),
        tensor=_count(parallelism, "tensor", f"{prefix}engine.parallelism.", 1) or 1,
        pipeline=_count(parallelism, "pipeline", f"{prefix}engine.parallelism.", 1) or 1,
        max_num_seqs=_count(engine, "maxNumSeqs", prefix, None),
        max_batched_tokens=_batched(engine, prefix),
        enforce_eager="--enforce-eager" in flags,
        async_scheduling="--no-async-scheduling" not in flags,
        version=_version(engine),
    )


def _uncovered_key(engine: Mapping[str, Any], prefix: str) -> str:
    """The first key that changes the memory and is not computed, with its value where that matters; '' for none."""
    for key in _MEMORY_KEYS:
        if below(engine, key.split(".")):
            return key
    data = below(engine, ("parallelism", "data"))
    if data is not None and _count({"data": data}, "data", f"{prefix}engine.parallelism.", 1) != 1:
        return f"parallelism.data {data}"
    return "chunkedPrefill false" if engine.get("chunkedPrefill") is False else ""


def _batched(engine: Mapping[str, Any], prefix: str) -> int | None:
    """Most tokens of one step: a key of the values, or the flag among `extraArgs`."""
    args = [str(arg) for arg in _extra_args(engine)]
    for index, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name.replace("_", "-") == _BATCH_FLAG:
            value = value or next(iter(args[index + 1 :]), "")
            given = int(value) if value.isdecimal() else value
            return _count({"extraArgs " + _BATCH_FLAG: given}, "extraArgs " + _BATCH_FLAG, prefix, None)
    return _count(engine, "maxNumBatchedTokens", prefix, None)


def _version(engine: Mapping[str, Any]) -> tuple[int, ...]:
    parts = str(engine.get("version") or "").split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else NEWEST


def _method(config: Mapping[str, Any], engine: Mapping[str, Any], described: str) -> tuple[str, str]:
    """The quantization method ('' for none) and, where it is beyond the estimate, why."""
    own = section(config, "quantization_config")
    method = str(word(own, "quant_method") or engine.get("quantization") or described or "").lower()
    if method == "compressed-tensors":
        # A container of many formats: only the description says which.
        method = str(described or "").lower()
        if method in _UNQUANTIZED:
            return "", "compressed-tensors weights without global.llm.model.quantization"
    if method in _UNQUANTIZED:
        return "", ""
    if method not in _LINEAR_BYTES and method not in _EXPERTS_ONLY:
        return "", f"quantization {method} (covered: awq, gptq, w4a16, w8a8, int8, fp8, mxfp4)"
    bits, group = _packing(own)
    if _LINEAR_BYTES.get(method) == _INT4_BYTES and (bits or 4, group or 128) != (4, 128):
        return "", f"{method} with {bits} bit in groups of {group} (covered: 4 bit in groups of 128)"
    if _LINEAR_BYTES.get(method) == 1.0 and bits not in (None, 8):
        return "", f"{method} with {bits} bit (covered: 8 bit)"
    return method, ""


def _packing(own: Mapping[str, Any]) -> tuple[int | None, int | str | None]:
    """Bits of a weight and weights of a group, None where config.json does not say.

    compressed-tensors says it a level deeper.
    """
    groups = section(own, "config_groups")
    if not groups:
        return _stated(own, "bits"), _stated(own, "group_size")
    weights = section(section(groups, next(iter(groups))), "weights")
    bits, group = _stated(weights, "num_bits"), _stated(weights, "group_size")
    # One scale for a whole row, where no size of a group is given.
    return bits, group if bits != 4 or group is not None else "a whole row"


def _stated(own: Mapping[str, Any], key: str) -> int | None:
    """A figure that may be left out; -1 is the usual way to write "a whole row"."""
    return None if own.get(key) is None else figure(own, key, least=-1)


def _kv_bytes(kv_dtype: str, element_bytes: int) -> int:
    if kv_dtype.startswith("fp8"):
        return 1
    return element_bytes if kv_dtype == "auto" else _ELEMENT_BYTES[kv_dtype]


def _extra_args(engine: Mapping[str, Any]) -> Sequence[Any]:
    """Words that are handed on to the engine; the values schema reports what is no list."""
    args = engine.get("extraArgs")
    return args if isinstance(args, list | tuple) else ()


def _flags(args: Sequence[Any]) -> set[str]:
    return {str(arg).split("=", 1)[0].replace("_", "-") for arg in args if str(arg).startswith("-")}


def _count(values: Mapping[str, Any], key: str, prefix: str, default: int | None) -> int | None:
    value = values.get(key)
    if value is None:
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
        where = prefix if prefix.endswith("parallelism.") else f"{prefix}engine."
        raise InputError(f"{where}{key} is {value!r}: write a positive whole number")
    return value


def _utilization(engine: Mapping[str, Any], prefix: str) -> float:
    value = engine.get("gpuMemoryUtilization")
    if value is None:
        return DEFAULT_UTILIZATION
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        key = f"{prefix}engine.gpuMemoryUtilization"
        raise InputError(f"{key} is {value!r}: write a share of the GPU's memory between 0 and 1")
    return float(value)
