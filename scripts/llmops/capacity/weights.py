"""What the weights take: elements of a layer by kind, parameters of the model, bytes on the fullest GPU."""

from __future__ import annotations

from dataclasses import dataclass

from llmops.capacity.architecture import Architecture, Heads
from llmops.capacity.compressed import elements

# Every engine keeps its tables of cosines and sines in 16 bit.
_ROTARY_BYTES = 2


@dataclass(frozen=True)
class Bytes:
    """Bytes of one element, by kind: matrices of attention, states, MLPs, shared and routed experts, and the rest."""

    attention: float
    state: float
    dense: float
    shared: float
    expert: float
    element: float


@dataclass(frozen=True)
class Layer:
    """Elements of one layer on one GPU, by kind; `absorbed` are copies that the engine makes in 16 bit."""

    attention: float = 0.0
    state: float = 0.0
    dense: float = 0.0
    shared: float = 0.0
    expert: float = 0.0
    small: float = 0.0
    absorbed: float = 0.0

    def bytes(self, each: Bytes) -> float:
        """Bytes of the layer on one GPU."""
        return (
            self.attention * each.attention
            + self.state * each.state
            + self.dense * each.dense
            + self.shared * each.shared
            + self.expert * each.expert
            + self.small * each.element
            + self.absorbed * 2
        )

    @property
    def elements(self) -> float:
        """Parameters of the layer."""
        return self.attention + self.state + self.dense + self.shared + self.expert + self.small


@dataclass(frozen=True)
class Split:
    """How one server's GPUs share a model: GPUs of a tensor group, stages, and whether experts stay whole."""

    tensor: int = 1
    pipeline: int = 1
    whole_experts: bool = False
    padded: bool = False
    drafts: bool = False


def layer(arch: Architecture, kind: tuple[str, str], split: Split = Split()) -> Layer:
    """One layer of a kind (layers.py) on one GPU; KV heads fewer than GPUs are copied, `padded` as in the engine."""
    mixer, mlp = kind
    tensor, hidden = split.tensor, arch.hidden
    matrices = 2 if "two-matrices" in arch.traits else 3
    attention = absorbed = states = dense = shared = expert = 0.0
    if mixer == "state" and arch.state:
        states = arch.state.linear / tensor
    elif mixer != "none":
        attention, absorbed = _attention(arch, mixer, tensor)
    if mlp in ("dense", "both"):
        dense = matrices * hidden * arch.intermediate / tensor
    if mlp in ("experts", "both") and arch.experts:
        width, inner = arch.experts.intermediate / tensor, float(arch.experts.latent or hidden)
        number = float(arch.experts.count)
        if split.whole_experts:
            width, number = float(arch.experts.intermediate), -(-arch.experts.count // tensor)
        if split.padded and "padded" in arch.traits:
            # The kernels of mxfp4 want multiples: a width of 128, a hidden size of 256.
            width, inner = _up(width, 128), _up(inner, 256)
        expert = number * matrices * inner * width
        shared = matrices * hidden * arch.experts.shared / tensor + 2 * hidden * arch.experts.latent
    return Layer(
        attention, states, dense, shared, expert, _small(arch, mixer, mlp, tensor, split.padded), absorbed
    )


def parameters(arch: Architecture) -> int:
    """Parameters of the whole model, as its card states them: without layers for multi-token prediction."""
    (stage,) = arch.stages(1)
    total = sum(number * layer(arch, kind).elements for kind, number in stage.items())
    tables = arch.embedding * (1 if arch.tied else 2)
    return int(total + tables + _rows(arch) + arch.hidden + arch.vision)


def weight_bytes(arch: Architecture, each: Bytes, split: Split) -> float:
    """Weight bytes of the fullest GPU of a replica."""
    stages, tensor = arch.stages(split.pipeline), split.tensor
    known = {kind: layer(arch, kind, split).bytes(each) for kind in set(arch.layout)}
    fullest = 0.0
    for stage, kinds in enumerate(stages):
        first, last = stage == 0, stage == len(stages) - 1
        total = sum(number * known[kind] for kind, number in kinds.items())
        tables = int(first) + int(last and not (arch.tied and first))
        total += tables * arch.embedding / tensor * each.element
        total += arch.tower.on_one(tensor) * each.element if first else 0
        total += _rows(arch) / tensor * each.element if first else 0
        if last:
            total += arch.hidden * each.element + (draft_bytes(arch, each, split) if split.drafts else 0.0)
        fullest = max(fullest, total)
    return fullest + sum(positions * size for positions, size in arch.tables) * _ROTARY_BYTES


def draft_bytes(arch: Architecture, each: Bytes, split: Split) -> float:
    """Bytes of the layers for multi-token prediction on one GPU; embedding and output head are the model's own."""
    mlp = "experts" if any(mlp == "experts" for _, mlp in arch.layout) else "dense"
    one = layer(arch, ("full", mlp), split).bytes(each) + 2 * arch.hidden**2 * each.element
    return arch.drafts * one


def _rows(arch: Architecture) -> int:
    """Elements of the table that every layer takes its own row of."""
    return arch.layers * arch.per_layer_inputs * (arch.vocabulary + arch.hidden)


def heads_of(arch: Architecture, mixer: str) -> Heads:
    """The heads of a kind of layer."""
    return arch.windowed if mixer in ("window", "chunked") else arch.full


def _attention(arch: Architecture, mixer: str, tensor: int) -> tuple[float, float]:
    """Elements of the attention's matrices on one GPU, and of the copies that the engine makes of them."""
    latent, hidden = arch.latent, arch.hidden
    if arch.compressed:
        heads = arch.full
        return elements(arch.compressed, int(mixer.split()[1]), hidden, heads.queries, heads.size, tensor)[
            0
        ], 0.0
    if latent is None:
        heads = heads_of(arch, mixer)
        queries = (3 if "output-gate" in arch.traits else 2) * hidden * heads.queries * heads.size / tensor
        keys = 2 * hidden * max(1.0, heads.keys / tensor) * heads.size
        return queries + keys + ("head-gate" in arch.traits) * hidden * heads.queries / tensor, 0.0
    mine = arch.full.queries / tensor
    keys = mine * (latent.plain + latent.rotary)
    rank = latent.query_rank
    queries = hidden * rank + rank * keys if rank else hidden * keys
    compressed = hidden * (latent.rank + latent.rotary)
    expanded = latent.rank * mine * (latent.plain + latent.value)
    picked = 0.0
    if arch.indexer:
        # Each GPU has the whole of it.
        picked = rank * arch.indexer.heads * arch.indexer.size * arch.indexer.layers / arch.layers
    return queries + compressed + expanded + mine * latent.value * hidden + picked, expanded


def _small(arch: Architecture, mixer: str, mlp: str, tensor: int, engine: bool) -> float:
    """Elements of one layer on one GPU that are never quantized: norms, biases and the router of the experts.

    An `engine` keeps some of them in 32 bit, which count twice.
    """
    traits, hidden, total = arch.traits, arch.hidden, 0.0
    total += hidden * (1 if "one-norm" in traits else 4 if "four-norms" in traits else 2)
    if arch.streams and "streams" in traits:
        # In 32 bit, as its routers are.
        total += (4 if engine else 2) * (arch.streams * hidden) * (2 + arch.streams) * arch.streams
    if mixer == "state" and arch.state:
        total += arch.state.small / tensor
    elif mixer != "none":
        total += _beside_attention(arch, mixer)
    if arch.per_layer_inputs:
        total += 2 * hidden * arch.per_layer_inputs + hidden
    if mlp in ("experts", "both") and arch.experts:
        experts = arch.experts
        total += experts.count * (
            hidden * (2 if engine and "wide-router" in traits else 1) + ("router-bias" in traits)
        )
        total += hidden * ("shared-gate" in traits) + (3 * hidden if mlp == "both" else 0)
        total += experts.count * (2 * experts.intermediate + hidden) * ("expert-bias" in traits)
    return total


def _beside_attention(arch: Architecture, mixer: str) -> float:
    traits, heads, total = arch.traits, heads_of(arch, mixer), 0.0
    if arch.compressed:
        rate = int(mixer.split()[1])
        return elements(arch.compressed, rate, arch.hidden, heads.queries, heads.size, 1)[1]
    if "qk-norm" in traits:
        total += 2 * heads.size
    if "wide-qk-norm" in traits:
        total += (heads.queries + heads.keys) * heads.size
    if "qkv-bias" in traits:
        total += (heads.queries + 2 * heads.keys) * heads.size
    if arch.latent:
        total += arch.latent.rank + arch.latent.query_rank
    if arch.indexer:
        total += arch.hidden * (arch.indexer.size + arch.indexer.heads) * arch.indexer.layers / arch.layers
    return total + arch.hidden * ("o-bias" in traits) + heads.queries * ("sinks" in traits)


def _up(size: float, step: int) -> float:
    return float(-(-size // step) * step)
