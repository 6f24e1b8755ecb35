"""What the values ask of one engine, read into numbers that the memory estimate needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops.capacity.config import MOST, MOST_LAYERS, figure, section
from llmops.capacity.packing import packing
from llmops.capacity.weights import Bytes
from llmops.findings import InputError
from llmops.untyped import below

# vLLM's own default, for plain values that leave the key out.
DEFAULT_UTILIZATION = 0.92

_ELEMENT_BYTES: Mapping[str, int] = {
    # A float32 checkpoint, too, is loaded as 16 bit when dtype is auto.
    "auto": 2,
    "half": 2,
    "float16": 2,
    "bfloat16": 2,
    "float": 4,
    "float32": 4,
}

# Flags of the engine that change what the estimate counts and are not read: with one of them there is no verdict.
MEMORY_FLAGS = frozenset(
    {
        "--cpu-offload-gb",
        "--data-parallel-size",
        "--dtype",
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

# Keys under `engine` that change it as much: a connector's buffers take memory of the GPU that config.json does not
# tell. Three more are looked at below: copies share the experts of some models, a prompt that
# is not cut into steps needs room for all of it, and a draft is a model of its own.
_MEMORY_KEYS = ("kvOffload.sizeGiB",)
# vLLM's own, for values that leave them out.
_LORA = {"maxLoras": 1, "maxRank": 16}
# Ways to guess tokens ahead without weights of their own.
_WITHOUT_WEIGHTS = ("ngram", "suffix")


# An engine without a version is taken for a new one.
NEWEST = (9999,)
_BATCH_FLAG = "--max-num-batched-tokens"


@dataclass(frozen=True)
class Settings:
    """One engine's request. `max_model_len` is in tokens, None for the model's own; bytes are per element.

    `max_num_seqs` and `max_batched_tokens` are None for vLLM's own, which follow the GPU. `drafted` tokens are guessed
    ahead, by the model's own layers where `own_drafts`. `uncovered` says why there is no verdict, as half a sentence:
    sizes are then the least that it takes. `adapter_ranks` is adapters at once times their largest rank.
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
    block: int | None = None
    prefix_caching: bool = True
    drafted: int = 0
    own_drafts: bool = False
    whole_experts: bool = False
    context: int = 1
    text_only: bool = False
    adapter_ranks: int = 0
    uncovered: str = ""


def read(config: Mapping[str, Any], engine: Mapping[str, Any], quantization: str, prefix: str) -> Settings:
    """Reads `vllm-inference.engine`; `prefix` is put before the keys that an InputError names.

    What config.json says of its own weights wins over `engine.quantization` (a flag), and that over the
    description in `quantization`.
    """
    args = [str(arg) for arg in _extra_args(engine)]
    flags = _flags(args)
    dtype = str(engine.get("dtype") or "auto").lower()
    element_bytes = _ELEMENT_BYTES.get(dtype, 2)
    text = section(config, "text_config") or config
    packed = packing(
        config,
        str(engine.get("quantization") or ""),
        str(quantization or ""),
        float(element_bytes),
        figure(text, "num_hidden_layers", 1, most=MOST_LAYERS),
    )
    kv_dtype = str(engine.get("kvCacheDtype") or "auto").lower()
    parallelism = engine.get("parallelism") or {}
    if not isinstance(parallelism, Mapping):
        raise InputError(f"{prefix}engine.parallelism is {parallelism!r}: write tensor and pipeline under it")
    speculative = engine.get("speculative")
    guess = speculative if isinstance(speculative, Mapping) else {}
    pictures = engine.get("multimodal")
    return Settings(
        max_model_len=_count(engine, "maxModelLen", prefix, None),
        utilization=_utilization(engine, prefix),
        quantization=packed.method or "none",
        bytes=packed.bytes,
        kv_dtype="fp8" if kv_dtype == "auto" and packed.kv_bits == 8 else kv_dtype,
        kv_bytes=_kv_bytes(kv_dtype, element_bytes, packed.kv_bits),
        tensor=_count(parallelism, "tensor", f"{prefix}engine.parallelism.", 1) or 1,
        pipeline=_count(parallelism, "pipeline", f"{prefix}engine.parallelism.", 1) or 1,
        max_num_seqs=_count(engine, "maxNumSeqs", prefix, None),
        max_batched_tokens=_batched(args, engine, prefix),
        enforce_eager="--enforce-eager" in flags,
        async_scheduling="--no-async-scheduling" not in flags,
        version=_version(engine),
        block=_flag_count(args, "--block-size", prefix),
        prefix_caching=engine.get("prefixCaching") is not False and "--no-enable-prefix-caching" not in flags,
        drafted=_count(guess, "tokens", f"{prefix}engine.speculative.", 0) or 0,
        own_drafts=guess.get("method") == "mtp",
        whole_experts="--enable-expert-parallel" in flags,
        context=_flag_count(args, "--decode-context-parallel-size", prefix)
        or _flag_count(args, "-dcp", prefix)
        or 1,
        text_only="--language-model-only" in flags
        or (isinstance(pictures, Mapping) and pictures.get("image") == 0),
        adapter_ranks=_adapters(engine, prefix),
        uncovered=_beyond(config, engine, flags, prefix) or packed.odd,
    )


def _beyond(config: Mapping[str, Any], engine: Mapping[str, Any], flags: set[str], prefix: str) -> str:
    """Why these values are beyond the estimate; '' where they are not."""
    if changed := sorted(flags & MEMORY_FLAGS):
        return f"{prefix}engine.extraArgs with {changed[0]}"
    if typed := _uncovered_key(config, engine, prefix):
        return f"{prefix}engine.{typed}"
    dtype, kv_dtype = (str(engine.get(key) or "auto").lower() for key in ("dtype", "kvCacheDtype"))
    if dtype not in _ELEMENT_BYTES:
        return f"dtype {dtype}"
    if kv_dtype != "auto" and not kv_dtype.startswith("fp8") and kv_dtype not in _ELEMENT_BYTES:
        return f"kvCacheDtype {kv_dtype}"
    return ""


def _uncovered_key(config: Mapping[str, Any], engine: Mapping[str, Any], prefix: str) -> str:
    """The first key that changes the memory and is not computed, with its value where that matters; '' for none."""
    for key in _MEMORY_KEYS:
        if below(engine, key.split(".")):
            return key
    method = below(engine, ("speculative", "method"))
    text = section(config, "text_config") or config
    own = method == "mtp" and any(
        text.get(key) for key in ("num_nextn_predict_layers", "mtp_num_hidden_layers")
    )
    if method and method not in _WITHOUT_WEIGHTS and not own:
        return f"speculative.method {method}, whose weights and cache config.json does not tell"
    data = below(engine, ("parallelism", "data"))
    if data is not None and _count({"data": data}, "data", f"{prefix}engine.parallelism.", 1) != 1:
        return f"parallelism.data {data}"
    return "chunkedPrefill false" if engine.get("chunkedPrefill") is False else ""


def _batched(args: Sequence[str], engine: Mapping[str, Any], prefix: str) -> int | None:
    """Most tokens of one step: a key of the values, or the flag among `extraArgs`."""
    return _flag_count(args, _BATCH_FLAG, prefix) or _count(engine, "maxNumBatchedTokens", prefix, None)


def _adapters(engine: Mapping[str, Any], prefix: str) -> int:
    """Adapters at once times their largest rank, with vLLM's own defaults; 0 without adapters."""
    lora = engine.get("lora")
    if not isinstance(lora, Mapping) or not (lora.get("adapters") or lora.get("runtimeLoading")):
        return 0
    at_once, rank = (_count(lora, key, f"{prefix}engine.lora.", default) for key, default in _LORA.items())
    return (at_once or 0) * (rank or 0)


def _flag_count(args: Sequence[str], flag: str, prefix: str) -> int | None:
    """The whole number that a flag among `extraArgs` has, None without it."""
    for index, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name.replace("_", "-") == flag:
            value = value or next(iter(args[index + 1 :]), "")
            given = int(value) if value.isdecimal() else value
            return _count({f"extraArgs {flag}": given}, f"extraArgs {flag}", prefix, None)
    return None


def _version(engine: Mapping[str, Any]) -> tuple[int, ...]:
    parts = str(engine.get("version") or "").split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else NEWEST


def _kv_bytes(kv_dtype: str, element_bytes: int, own_bits: int) -> int:
    """Bytes of one element of the cache; a checkpoint may have 8 bit of its own. The least of an unknown type."""
    if kv_dtype == "auto":
        return own_bits // 8 or element_bytes
    return 1 if kv_dtype.startswith("fp8") else _ELEMENT_BYTES.get(kv_dtype, 1)


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
        where = prefix if prefix.endswith(("parallelism.", "speculative.", "lora.")) else f"{prefix}engine."
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
