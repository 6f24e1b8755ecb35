"""What the weights take: elements of a layer by kind, parameters of the model, bytes on the fullest GPU."""

from __future__ import annotations

from dataclasses import dataclass

from llmops.capacity.architecture import Architecture

# Every engine keeps one table of cosines and sines in 16 bit: position x size of the rotary part.
_ROTARY_BYTES = 2


@dataclass(frozen=True)
class Bytes:
    """Bytes of one element, by kind: matrices of a layer, those of its experts, and everything else."""

    linear: float
    expert: float
    element: float


@dataclass(frozen=True)
class Layer:
    """Elements of one layer on one GPU, by kind; `absorbed` are copies that the engine makes in 16 bit."""

    linear: float
    expert: float
    small: float
    absorbed: float = 0.0

    def bytes(self, each: Bytes) -> float:
        """Bytes of the layer on one GPU."""
        return (
            self.linear * each.linear
            + self.expert * each.expert
            + self.small * each.element
            + self.absorbed * 2
        )

    @property
    def elements(self) -> float:
        """Parameters of the layer."""
        return self.linear + self.expert + self.small


def layer(arch: Architecture, dense: bool, tensor: int = 1, padded: bool = False) -> Layer:
    """One layer on one of `tensor` GPUs; KV heads fewer than GPUs are copied, `padded` as in the engine's memory."""
    linear, absorbed = _attention(arch, tensor)
    if arch.experts is None or dense:
        return Layer(
            linear + 3 * arch.hidden * arch.intermediate / tensor, 0.0, _small(arch, dense=True), absorbed
        )
    width, hidden = arch.experts.intermediate / tensor, float(arch.hidden)
    if padded and "padded" in arch.traits:
        # The kernels of mxfp4 want multiples: a width of 128, a hidden size of 256.
        width, hidden = _up(width, 128), _up(hidden, 256)
    expert = arch.experts.count * 3 * hidden * width
    shared = 3 * arch.hidden * arch.experts.shared / tensor
    return Layer(linear + shared, expert, _small(arch, dense=False), absorbed)


def parameters(arch: Architecture) -> int:
    """Parameters of the whole model, as its card states them."""
    dense = arch.experts.dense_layers if arch.experts else arch.layers
    total = dense * layer(arch, True).elements + (arch.layers - dense) * layer(arch, False).elements
    tables = arch.embedding * (1 if arch.tied else 2)
    return int(total) + tables + arch.hidden + arch.vision


def weight_bytes(arch: Architecture, each: Bytes, tensor: int, pipeline: int) -> float:
    """Weight bytes of the fullest GPU of a replica."""
    counts = arch.stages(pipeline)
    dense_left = arch.experts.dense_layers if arch.experts else arch.layers
    dense, sparse = layer(arch, True, tensor, True), layer(arch, False, tensor, True)
    fullest = 0.0
    for stage, count in enumerate(counts):
        first, last = stage == 0, stage == len(counts) - 1
        dense_here = min(dense_left, count)
        dense_left -= dense_here
        total = dense_here * dense.bytes(each) + (count - dense_here) * sparse.bytes(each)
        tables = int(first) + int(last and not (arch.tied and first))
        total += tables * arch.embedding / tensor * each.element
        total += (arch.vision * each.element if first else 0) + (arch.hidden * each.element if last else 0)
        fullest = max(fullest, total)
    rotary = arch.latent.rotary if arch.latent else arch.head_dim
    return fullest + arch.max_positions * rotary * _ROTARY_BYTES


def _attention(arch: Architecture, tensor: int) -> tuple[float, float]:
    """Elements of the attention's matrices on one GPU, and of the copies that the engine makes of them."""
    latent = arch.latent
    if latent is None:
        queries = 2 * arch.hidden * arch.heads * arch.head_dim / tensor
        return queries + 2 * arch.hidden * max(1.0, arch.kv_heads / tensor) * arch.head_dim, 0.0
    heads = arch.heads / tensor
    keys = heads * (latent.plain + latent.rotary)
    rank = latent.query_rank
    queries = arch.hidden * rank + rank * keys if rank else arch.hidden * keys
    compressed = arch.hidden * (latent.rank + latent.rotary)
    expanded = latent.rank * heads * (latent.plain + latent.value)
    return queries + compressed + expanded + heads * latent.value * arch.hidden, expanded


def _small(arch: Architecture, dense: bool) -> int:
    """Elements of one layer that are never quantized: norms, biases and the router of the experts."""
    traits, total = arch.traits, 2 * arch.hidden
    if "four-norms" in traits:
        total += 2 * arch.hidden
    if "qk-norm" in traits:
        total += 2 * arch.head_dim
    if "qkv-bias" in traits:
        total += (arch.heads + 2 * arch.kv_heads) * arch.head_dim
    if arch.latent:
        total += arch.latent.rank + arch.latent.query_rank
    total += arch.hidden * ("o-bias" in traits) + arch.heads * ("sinks" in traits)
    if arch.experts and not dense:
        total += arch.experts.count * (arch.hidden + ("router-bias" in traits))
        total += arch.hidden * ("shared-gate" in traits)
        total += (
            arch.experts.count * (2 * arch.experts.intermediate + arch.hidden) * ("expert-bias" in traits)
        )
    return total


def _up(size: float, step: int) -> float:
    return float(-(-size // step) * step)
