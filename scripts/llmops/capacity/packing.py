"""Bytes of a weight by what config.json says of its quantization: methods, formats, and modules that stay 16 bit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from llmops.capacity.compressed import experts_in_four_bit
from llmops.capacity.config import figure, section
from llmops.capacity.config import text as word
from llmops.capacity.weights import Bytes

# Per weight of a layer's matrices. 4 bit in groups of 128 have a scale of 16 bit and a zero point of 4 each; the
# microscaled formats have a scale of 8 bit for every 32 weights, NVFP4 one for every 16.
INT4_BYTES = 0.5 + (2 + 0.5) / 128
METHODS: Mapping[str, float] = {
    "awq": INT4_BYTES,
    "awq_marlin": INT4_BYTES,
    "gptq": INT4_BYTES,
    "gptq_marlin": INT4_BYTES,
    "w4a16": INT4_BYTES,
    "auto-round": INT4_BYTES,
    "fp8": 1.0,
    "int8": 1.0,
    "w8a8": 1.0,
    "nvfp4": 0.5 + 1 / 16,
    "mxfp8": 1 + 1 / 32,
}
# For experts only, where the values or config.json name nothing else.
EXPERTS_ONLY: Mapping[str, float] = {"mxfp4": 0.5 + 1 / 32}
UNQUANTIZED = ("", "none", "bf16", "bfloat16", "fp16", "float16")
# Formats that hold several methods: only their own figures say which.
_CONTAINERS = ("compressed-tensors", "modelopt", "modelopt_fp4", "modelopt_mixed", "quark")
_IGNORED = ("ignore", "modules_to_not_convert", "exclude_modules", "exclude")

# Where a module of each kind may lie; an engine's names, of which any that stays 16 bit counts.
_MODULES: Mapping[str, tuple[str, ...]] = {
    "attention": ("self_attn.q_proj", "self_attn.o_proj", "mixer.q_proj"),
    "state": ("linear_attn.in_proj_qkv", "linear_attn.in_proj_qkvz", "linear_attn.out_proj", "mixer.in_proj"),
    "dense": ("mlp.gate_proj", "mlp.up_proj"),
    "shared": ("mlp.shared_expert.gate_proj", "mlp.shared_experts.gate_proj", "mixer.shared_experts.up_proj"),
    "expert": (
        "mlp.experts.5.gate_proj",
        "mlp.experts.gate_up_proj",
        "mixer.experts.5.up_proj",
        "block_sparse_moe.experts.5.w1",
    ),
}
_PREFIXES = ("model.", "model.language_model.", "language_model.model.", "backbone.")


# Targets, bytes of a weight, and the name where it is a format of 4 bit floats that not every GPU has.
Group = tuple[tuple[str, ...], float, str]


@dataclass(frozen=True)
class Packing:
    """Name of the method, bytes of a weight by kind of module, and why it is beyond the estimate ('' if it is not)."""

    method: str
    bytes: Bytes
    odd: str = ""
    kv_bits: int = 0


def packing(config: Mapping[str, Any], forced: str, described: str, element: float, layers: int) -> Packing:
    """How the weights are packed: what config.json says wins over `forced` (a flag), and that over `described`.

    `element` is bytes of a weight that is not quantized; a layer in the middle of `layers` stands for all.
    """
    own = section(config, "quantization_config") or section(
        section(config, "text_config"), "quantization_config"
    )
    method = (word(own, "quant_method") or forced or described).lower()
    kv_bits = (
        8
        if section(own, "kv_cache_scheme") or str(own.get("kv_cache_quant_algo") or "").upper() == "FP8"
        else 0
    )
    if method in _CONTAINERS or section(own, "config_groups"):
        groups = list(_groups(own, method))
        if groups:
            found, odd = _by_module(own, groups, element, layers)
            four = next((name for _, _, name in groups if name), "")
            return Packing(four or described.lower() or method, found, odd, kv_bits)
        method = described.lower()
        if method in UNQUANTIZED:
            odd = "compressed-tensors weights without global.llm.model.quantization"
            return Packing(
                "", _uniform(0.5, element), odd.replace("compressed-tensors", word(own, "quant_method"))
            )
    if method in UNQUANTIZED:
        return Packing("", _uniform(element, element))
    if method in EXPERTS_ONLY:
        plain = _uniform(element, element)
        return Packing(method, Bytes(**{**plain.__dict__, "expert": EXPERTS_ONLY[method]}), "", kv_bits)
    if method not in METHODS:
        known = "awq, gptq, w4a16, w8a8, int8, fp8, nvfp4, mxfp4, mxfp8"
        return Packing(method, _uniform(0.5, element), f"quantization {method} (covered: {known})")
    each, odd = _stated(own, method)
    found, _ = _by_module(own, [(("Linear",), each, method)], element, layers)
    if experts_in_four_bit(config):
        found = replace(found, expert=EXPERTS_ONLY["mxfp4"])
    return Packing(method, found, odd, kv_bits)


def _uniform(each: float, element: float) -> Bytes:
    return Bytes(each, each, each, each, each, element)


def _stated(own: Mapping[str, Any], method: str) -> tuple[float, str]:
    """Bytes of a weight of one method, with the bits and groups that config.json has."""
    bits, group = _number(own, "bits"), _number(own, "group_size")
    if METHODS[method] == INT4_BYTES:
        if (bits or 4) not in (2, 3, 4, 8):
            return 0.25, f"{method} with {bits} bit (covered: 2, 3, 4 and 8 bit)"
        return _grouped(bits or 4, 128 if group is None else group), ""
    if METHODS[method] == 1.0 and bits not in (None, 8):
        return 0.5, f"{method} with {bits} bit (covered: 8 bit)"
    return METHODS[method], ""


def _grouped(bits: int, group: int, zeros: bool = True) -> float:
    """Bytes of a weight of so many bits; every group has a scale of 16 bit and may have a zero point."""
    return bits / 8 + ((2 + (bits / 8 if zeros else 0)) / group if group > 0 else 0)


def _groups(own: Mapping[str, Any], method: str) -> Iterator[Group]:
    """Each group of a container."""
    if method == "quark":
        weight = section(section(own, "global_quant_config"), "weight")
        dtype = word(weight, "dtype")
        if dtype:
            yield ("Linear",), 0.5 + 1 / 32 if "4" in dtype else 1.0, "mxfp4" if "4" in dtype else ""
        return
    algorithm = word(own, "quant_algo").upper()
    listed = section(own, "quantized_layers")
    for name, figures in listed.items():
        if isinstance(figures, Mapping):
            yield (name,), *_algorithm(word(figures, "quant_algo").upper())
    if algorithm and not listed:
        yield ("Linear",), *_algorithm(algorithm)
        return
    for name in section(own, "config_groups"):
        group = section(section(own, "config_groups"), name)
        weights = section(group, "weights")
        bits, size = figure(weights, "num_bits"), _number(weights, "group_size")
        targets = group.get("targets")
        named = tuple(str(target) for target in targets) if isinstance(targets, list) else ("Linear",)
        yield named, *_weights(weights, bits, size)


def _weights(weights: Mapping[str, Any], bits: int, size: int | None) -> tuple[float, str]:
    if word(weights, "type") == "float" and bits == 4:
        return 0.5 + 1 / (size if size and size > 0 else 16), "mxfp4" if size == 32 else "nvfp4"
    if word(weights, "type") == "float":
        return bits / 8 + (1 / size if size and size > 0 else 0), ""
    return _grouped(bits, size or 0, zeros=weights.get("symmetric") is False), ""


def _algorithm(name: str) -> tuple[float, str]:
    if "NVFP4" in name:
        return METHODS["nvfp4"], "nvfp4"
    if "MXFP4" in name:
        return EXPERTS_ONLY["mxfp4"], "mxfp4"
    if "W4A16" in name or "INT4" in name:
        return INT4_BYTES, ""
    return METHODS["mxfp8"] if "MXFP8" in name else 1.0, ""


def _by_module(own: Mapping[str, Any], groups: list[Group], element: float, layers: int) -> tuple[Bytes, str]:
    if len(groups) == 1 and groups[0][0] == ("Linear",) and not any(own.get(key) for key in _IGNORED):
        return _uniform(groups[0][1], element), ""
    found = {}
    for kind, names in _MODULES.items():
        each = element
        paths = [
            f"{prefix}layers.{at}.{name}" for name in names for at in _middle(layers) for prefix in _PREFIXES
        ]
        kept = [path for path in paths if _ignored(own, path)]
        if not kept:
            hits = [
                size
                for targets, size, _ in groups
                if any(_meant(target, path) for path in paths for target in targets)
            ]
            each = hits[0] if hits else element
        found[kind] = each
    return Bytes(**found, element=element), ""


def _middle(layers: int) -> tuple[int, ...]:
    """Layers that stand for all: attention is every fourth or so in hybrids, and files list modules one by one."""
    return tuple(range(layers // 2, min(layers, layers // 2 + 4)))


def _ignored(own: Mapping[str, Any], path: str) -> bool:
    named: list[object] = next((own[key] for key in _IGNORED if isinstance(own.get(key), list)), [])
    return any(_matches(str(pattern), path) for pattern in named)


def _meant(target: str, path: str) -> bool:
    return target in ("Linear", "FusedMoE", "RoutedExperts") or _matches(target, path)


def _matches(pattern: str, path: str) -> bool:
    """Whether a name, a part of one, a glob or (`re:`) an expression means the module."""
    if pattern.startswith("re:"):
        try:
            return re.match(pattern[3:], path) is not None
        except re.error:
            return False
    tail = path[path.index("layers.") :]
    if "layers." in pattern:
        pattern = pattern[pattern.index("layers.") :]
        return (
            tail == pattern
            or tail.startswith(pattern + ".")
            or fnmatchcase(tail, pattern)
            or ("*" in pattern and fnmatchcase(tail, pattern.rstrip("*") + "*"))
        )
    if "*" in pattern:
        return fnmatchcase(path, pattern)
    return f".{pattern}." in f".{tail}." and not pattern.isdigit()


def _number(own: Mapping[str, Any], key: str) -> int | None:
    """A figure that may be left out; -1 is the usual way to write "a whole row"."""
    return None if own.get(key) is None else figure(own, key, least=-1)
