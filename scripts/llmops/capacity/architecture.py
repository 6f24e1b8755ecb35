"""The shape of a model as config.json tells it: layers, heads, experts, latent attention, windows, states, pictures.

Figures alone, so that no download is needed. A model type that is not in FAMILIES gets no verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.capacity.compressed import Compressed, compressed
from llmops.capacity.config import (
    CONFIG,
    MOST_LAYERS,
    FigureError,
    count,
    figure,
    flag,
    refused,
    section,
    texts,
)
from llmops.capacity.config import text as word
from llmops.capacity.families import FAMILIES, PICTURES, family_of
from llmops.capacity.layers import MIXERS, kinds
from llmops.capacity.states import State, state
from llmops.capacity.vision import Tower, tower

__all__ = [
    "CONFIG",
    "FAMILIES",
    "PICTURES",
    "Architecture",
    "Experts",
    "FigureError",
    "Heads",
    "Latent",
    "architecture",
    "uncovered",
]


@dataclass(frozen=True)
class Experts:
    """A mixture: `count` experts a layer, `chosen` for each token, `shared` elements wide ones for all of them.

    `latent` is the width that they work in, 0 for the model's own.
    """

    count: int
    chosen: int
    intermediate: int
    shared: int
    latent: int = 0


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention: ranks and head sizes; `query_rank` 0 where queries are not compressed."""

    query_rank: int
    rank: int
    plain: int
    rotary: int
    value: int


@dataclass(frozen=True)
class Indexer:
    """What picks tokens for sparse attention: its heads, their size, and the layers that have one."""

    heads: int
    size: int
    layers: int


@dataclass(frozen=True)
class Heads:
    """Heads of one kind of attention layer; `size` is elements of one."""

    queries: int
    keys: int
    size: int


@dataclass(frozen=True)
class Architecture:
    """The shape of one model; sizes are counts of elements, `window` and `chunk` are in tokens (0: none).

    `layout` has (attention, MLP) of each layer as layers.py names them; `full` and `windowed` are the heads of layers
    that keep every token and of those that look back so far only. `drafts` counts layers for multi-token prediction,
    which an engine loads where it is told to; `shared_caches` the last layers, which read another layer's cache.
    `tables` are tables of positions: (positions, size of the rotary part) each.
    """

    family: str
    layout: tuple[tuple[str, str], ...]
    hidden: int
    full: Heads
    windowed: Heads
    intermediate: int
    vocabulary: int
    tied: bool
    max_positions: int
    traits: frozenset[str] = frozenset()
    experts: Experts | None = None
    latent: Latent | None = None
    indexer: Indexer | None = None
    compressed: Compressed | None = None
    state: State | None = None
    window: int = 0
    chunk: int = 0
    tower: Tower = Tower()  # noqa: RUF009 a frozen dataclass
    drafts: int = 0
    shared_caches: int = 0
    per_layer_inputs: int = 0
    streams: int = 0
    tables: tuple[tuple[int, int], ...] = ()

    @property
    def layers(self) -> int:
        """How many there are."""
        return len(self.layout)

    @property
    def heads(self) -> int:
        """Heads of queries in a layer that keeps every token."""
        return self.full.queries

    @property
    def kv_heads(self) -> int:
        """Heads of keys in a layer that keeps every token."""
        return self.full.keys

    @property
    def head_dim(self) -> int:
        """Elements of one head."""
        return self.full.size

    @property
    def vision(self) -> int:
        """Elements of the picture tower."""
        return self.tower.elements

    @property
    def embedding(self) -> int:
        """Elements of the input embedding; the output head has as many."""
        return self.vocabulary * self.hidden

    @property
    def has_dense(self) -> bool:
        """Whether some layer has an MLP for every token."""
        return any(mlp in ("dense", "both") for _, mlp in self.layout)

    def stages(self, pipeline: int) -> list[Counter[tuple[str, str]]]:
        """Layers of each pipeline stage by kind; as in vLLM, what is left over goes to the stages before the last."""
        base, rest = divmod(self.layers, pipeline)
        found, start = [], 0
        for stage in range(pipeline):
            end = start + base + (1 if pipeline - 1 - rest <= stage < pipeline - 1 else 0)
            found.append(Counter(self.layout[start:end]))
            start = end
        return found


def uncovered(config: Mapping[str, Any]) -> str:
    """Why this config.json is beyond the estimate, as half a sentence; empty when it is covered."""
    model_type = word(config, "model_type")
    if not model_type:
        # Every file of transformers says it: without it, no figure would be looked at.
        raise refused("model_type", None)
    if count(config, "encoder_layers"):
        return (
            f"models with more than a text decoder (encoder_layers) other than {', '.join(sorted(PICTURES))}"
        )
    text = section(config, "text_config") or config
    family = family_of(config, word(text, "model_type"), model_type)
    for key in ("vision_config", "audio_config", "text_config"):
        if section(config, key) and model_type not in PICTURES:
            return f"models with more than a text decoder ({key}) other than {', '.join(sorted(PICTURES))}"
    if section(config, "audio_config"):
        return "the tower for sound (audio_config)"
    if not family:
        known = ", ".join(sorted({*FAMILIES, *PICTURES}))
        return f"model type {model_type} (covered: {known})"
    if count(text, "index_topk") and family not in (*INDEXED, "deepseek_v4"):
        return "sparse attention (index_topk)"
    odd = set(texts(text, "layer_types")) - set(MIXERS)
    if odd:
        return f"layers of {min(odd)} (layer_types)"
    if "linear_attention" in texts(text, "layer_types") and state(text, family) is None:
        return "layers of linear_attention (layer_types)"
    return ""


# Families whose latent attention has an indexer.
INDEXED = ("deepseek_v32", "glm_moe_dsa", "hy_v4")


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Reads the figures of config.json (keys as in transformers); FigureError names a missing or impossible one."""
    text = section(config, "text_config") or config
    family = family_of(config, word(text, "model_type"), word(config, "model_type"))
    if not family:
        raise refused("model_type", word(text, "model_type") or None)
    layers = figure(text, "num_hidden_layers", most=MOST_LAYERS)
    hidden, heads = figure(text, "hidden_size"), figure(text, "num_attention_heads")
    window = count(text, "sliding_window") if flag(text, "use_sliding_window", True) else 0
    experts = _experts(text)
    plain = Heads(
        heads, figure(text, "num_key_value_heads", heads), figure(text, "head_dim", max(1, hidden // heads))
    )
    positions = figure(text, "max_position_embeddings", count(text, "model_max_length") or None)
    latent = _latent(text)
    full = Heads(
        heads,
        count(text, "num_global_key_value_heads") or plain.keys,
        count(text, "global_head_dim") or plain.size,
    )
    return Architecture(
        family=family,
        layout=kinds(text, family, layers, window, experts is not None),
        hidden=hidden,
        full=full,
        windowed=plain,
        intermediate=count(text, "intermediate_size_mlp") or count(text, "intermediate_size")
        if experts
        else figure(text, "intermediate_size"),
        vocabulary=figure(text, "vocab_size"),
        tied=flag(config, "tie_word_embeddings", flag(text, "tie_word_embeddings", False)),
        max_positions=positions,
        traits=_traits(text, family),
        experts=experts,
        latent=latent,
        indexer=_indexer(text, layers) if family in INDEXED else None,
        compressed=compressed(text, layers) if family == "deepseek_v4" else None,
        state=state(text, family),
        window=window,
        chunk=count(text, "attention_chunk_size"),
        tower=tower(config, hidden),
        drafts=count(text, "num_nextn_predict_layers") or count(text, "mtp_num_hidden_layers"),
        shared_caches=count(text, "num_kv_shared_layers"),
        per_layer_inputs=count(text, "hidden_size_per_layer_input"),
        streams=count(text, "hc_mult"),
        tables=_tables(text, family, plain, full, latent, positions),
    )


def _traits(text: Mapping[str, Any], family: str) -> frozenset[str]:
    """What the family adds to the plain layer, and what this file switches on."""
    found = set(FAMILIES[family])
    if flag(text, "use_qk_norm", False) and family == "glm4_moe":
        found.add("qk-norm")
    if family == "laguna" and not text.get("gating"):
        found.discard("head-gate")
    return frozenset(found)


def _experts(text: Mapping[str, Any]) -> Experts | None:
    names = ("n_routed_experts", "num_local_experts", "num_experts")
    experts = next((found for found in (count(text, name) for name in names) if found), 0)
    if not experts:
        return None
    widths = ("moe_intermediate_size", "expert_hidden_dim")
    width = next((found for found in (count(text, name) for name in widths) if found), 0)
    width = width or figure(text, "intermediate_size")
    chosen = next(
        (found for key in ("num_experts_per_token", "top_k_experts") if (found := count(text, key))), None
    )
    shared = next(
        (
            found
            for key in ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size")
            if (found := count(text, key))
        ),
        width * (count(text, "n_shared_experts") or count(text, "num_shared_experts")),
    )
    if word(text, "model_type") == "llama4_text":
        shared = width
    return Experts(
        count=experts,
        chosen=figure(text, "num_experts_per_tok", chosen),
        intermediate=width,
        shared=shared,
        latent=count(text, "moe_latent_size"),
    )


def _latent(text: Mapping[str, Any]) -> Latent | None:
    if not count(text, "kv_lora_rank"):
        return None
    return Latent(
        query_rank=count(text, "q_lora_rank"),
        rank=figure(text, "kv_lora_rank"),
        plain=figure(text, "qk_nope_head_dim"),
        rotary=figure(text, "qk_rope_head_dim"),
        value=figure(text, "v_head_dim"),
    )


def _indexer(text: Mapping[str, Any], layers: int) -> Indexer | None:
    if not count(text, "index_topk"):
        return None
    own = texts(text, "indexer_types")
    return Indexer(
        heads=figure(text, "index_n_heads"),
        size=figure(text, "index_head_dim"),
        layers=own.count("full") if own else layers,
    )


def _tables(
    text: Mapping[str, Any], family: str, plain: Heads, full: Heads, latent: Latent | None, positions: int
) -> tuple[tuple[int, int], ...]:
    """The tables of cosines and sines that an engine keeps: one, or one more where layers differ."""
    scaling = text.get("rope_scaling")
    factor = scaling.get("factor", 1) if isinstance(scaling, Mapping) and family == "gemma3_text" else 1
    scaled = int(positions * factor) if isinstance(factor, int | float) and 1 <= factor <= 1024 else positions
    if family in ("kimi_linear", "nemotron_h"):
        return ()
    if latent:
        return ((positions, latent.rotary),) * (2 if count(text, "index_topk") else 1)
    if family == "gemma4_text":
        return ((positions, plain.size), (positions, full.size))
    rotary = count(text, "rotary_dim")
    if not rotary:
        rotary = int(plain.size * _share(text))
    first = ((scaled, rotary),)
    return (*first, (positions, plain.size)) if family == "gemma3_text" else first


def _share(text: Mapping[str, Any]) -> float:
    """Share of a head that is rotated."""
    parameters = text.get("rope_parameters")
    inner = parameters.get("partial_rotary_factor") if isinstance(parameters, Mapping) else None
    for value in (text.get("partial_rotary_factor"), inner):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
            return float(value)
    return 1.0
