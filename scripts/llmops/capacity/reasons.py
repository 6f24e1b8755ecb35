"""Why an engine would not start, in sentences that name the key and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmops.capacity import gpu_products
from llmops.capacity.architecture import Architecture
from llmops.capacity.gpu_products import Gpu
from llmops.capacity.memory import GIB, GRAPHS_COUNTED_SINCE, Memory, batch, memory
from llmops.capacity.settings import Settings
from llmops.findings import Severity

# CUDA graphs took 0.5 to 1.9 GiB in the measured runs, before 0.21 out of what the utilization leaves free.
GRAPHS_GIB = (0.5, 1.9)
# What the driver keeps of each GPU before the engine begins: 79.19 GiB there were, 78.68 free.
CONTEXT_GIB = 0.5
# The sampler's warm-up asked for 4 bytes a logit and found too little twice; three such buffers cover both.
WARM_UP_BYTES = 12

# Contexts are proposed in steps that people write.
CONTEXT_STEP = 1024

_LARGEST_TENSOR = 16


@dataclass(frozen=True)
class Reason:
    """Why an engine would not start (ERROR) or may not (WARNING).

    `path` is `values/<JSON Pointer>` of the key to change; `message` and `fix` are for a person, and `str()`
    is both in one sentence. `about` is memory, or gpu for what the device has no instructions for.
    """

    severity: Severity
    path: str
    message: str
    fix: str
    about: str = "memory"

    def __str__(self) -> str:
        return f"{self.message}: {self.fix[:1].lower()}{self.fix[1:]}"


class Keys:
    """The engine's keys, as a person writes them and as findings point at them."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def name(self, key: str) -> str:
        return f"{self.prefix}engine.{key}"

    def path(self, key: str) -> str:
        return "values/" + self.name(key).replace(".", "/")

    def error(self, key: str, message: str, fix: str) -> Reason:
        return Reason(Severity.ERROR, self.path(key), f"{self.name(key)} {message}", fix)


def of_the_split(
    arch: Architecture, settings: Settings, gpus_per_replica: int | None, keys: Keys
) -> Iterator[Reason]:
    """Tensor and pipeline sizes that no engine can make of this model, whatever the memory."""
    tensor, pipeline = settings.tensor, settings.pipeline
    if not _splits(arch, tensor):
        choices = ", ".join(str(n) for n in range(1, _LARGEST_TENSOR + 1) if _splits(arch, n))
        yield keys.error(
            "parallelism.tensor",
            f"is {tensor}, which does not split the model's {arch.heads} attention heads and "
            f"{arch.kv_heads} KV heads",
            f"Write one of {choices}.",
        )
    if pipeline > arch.layers:
        yield keys.error(
            "parallelism.pipeline",
            f"is {pipeline}, more stages than the model's {arch.layers} layers",
            f"Write {arch.layers} or less.",
        )
    if gpus_per_replica is not None and gpus_per_replica < tensor * pipeline:
        yield keys.error(
            "parallelism.tensor",
            f"times pipeline needs {tensor * pipeline} GPUs, but a pod asks for {gpus_per_replica}",
            f"Let the container ask for {tensor * pipeline} GPUs, or write a smaller tensor.",
        )


def of_the_memory(
    arch: Architecture, settings: Settings, gpu: Gpu, used: Memory, keys: Keys
) -> Iterator[Reason]:
    """Weights or a context without memory for them, and a context that the model was not made for."""
    context_tokens = settings.max_model_len or arch.max_positions
    largest = largest_context(arch, used)
    if context_tokens > arch.max_positions:
        yield keys.error(
            "maxModelLen",
            f"is {context_tokens}, more than the model's max_position_embeddings of {arch.max_positions}",
            f"Write {largest or arch.max_positions} or less.",
        )
    ways = list(_other_ways(arch, settings, gpu, keys))
    if used.kv_pool <= 0:
        share = settings.utilization * gpu.usable_gib
        alone = used.weights >= share
        counted = used.graphs if settings.version >= GRAPHS_COUNTED_SINCE else 0.0
        needed = used.weights + (0.0 if alone else used.activation + used.non_torch + counted)
        yield keys.error(
            "parallelism.tensor",
            f"is {settings.tensor}, so the weights{' alone' if alone else ', activation, libraries and graphs'} take "
            f"{needed:.1f} GiB of each {gpu.product}, where gpuMemoryUtilization {settings.utilization:g} "
            f"leaves {share:.1f} GiB",
            f"Write {', or '.join(ways) or 'a quantization with fewer bits, or a smaller model'}.",
        )
        return
    need = used.cache.request_bytes(min(context_tokens, arch.max_positions))
    if need > promised_pool(used):
        unset = "" if settings.max_model_len else "not set, which means "
        if largest:
            ways.insert(0, f"{keys.name('maxModelLen')}: {largest} or less")
        fix = f"Write {', or '.join(ways) or 'a quantization with fewer bits'}."
        if need + used.cache.block_bytes > used.kv_pool * GIB:
            what = (
                f"the KV cache of one replica on {gpu.product} can be counted on for {largest:,} tokens only"
            )
            yield keys.error("maxModelLen", f"is {unset}{context_tokens}, but {what}", fix)
        else:
            what = (
                f"leaves less than {used.margin * 100:.0f} % of the KV cache of {gpu.product} as margin for "
                "the error of the estimate, so the engine may refuse to start"
            )
            yield replace(
                keys.error("maxModelLen", f"is {unset}{context_tokens}, which {what}", fix),
                severity=Severity.WARNING,
            )


def of_the_rest(arch: Architecture, settings: Settings, gpu: Gpu, keys: Keys) -> Iterator[Reason]:
    """A utilization that leaves too little of the GPU for what comes after the KV cache is sized.

    That is the sampler's warm-up, which died on 0.55 GiB with a vocabulary of 201,088 and 1,024 sequences,
    and for engines before 0.21 the CUDA graphs too.
    """
    free = (1 - settings.utilization) * gpu.usable_gib - CONTEXT_GIB
    sampler = WARM_UP_BYTES * batch(settings, gpu)[1] * arch.vocabulary / GIB
    counted = settings.version >= GRAPHS_COUNTED_SINCE
    need = sampler + (0.0 if counted else GRAPHS_GIB[1])
    if free >= need:
        return
    enough = int((1 - (need + CONTEXT_GIB) / gpu.usable_gib) * 100) / 100
    names = "the sampler's warm-up" if counted else "CUDA graphs and the sampler's warm-up"
    yield Reason(
        Severity.WARNING,
        keys.path("gpuMemoryUtilization"),
        f"{keys.name('gpuMemoryUtilization')} {settings.utilization:g} leaves {max(0.0, free):.1f} GiB of each "
        f"{gpu.product} for {names}, which may take {need:.1f} GiB after the KV cache is sized",
        f"Write {enough:g} or less.",
    )


def promised_pool(used: Memory) -> float:
    """Bytes of KV cache that are there even when the pool comes out smaller by the margin of this kind of GPU.

    One block is never given to a request. Every promise (fits, largest context, concurrency) is made for the rest:
    `llmops fit --score` shows that the worst measured row of each kind is within the margin.
    """
    return max(0.0, used.kv_pool * GIB * (1 - used.margin) - used.cache.block_bytes)


def largest_context(arch: Architecture, used: Memory) -> int:
    """The largest maxModelLen that fits, in tokens: a multiple of CONTEXT_STEP, or the model's own."""
    return used.cache.longest(promised_pool(used), arch.max_positions, CONTEXT_STEP)


def _splits(arch: Architecture, tensor: int) -> bool:
    shares_kv = arch.kv_heads % tensor == 0 or tensor % arch.kv_heads == 0
    return arch.heads % tensor == 0 and shares_kv


def _other_ways(arch: Architecture, settings: Settings, gpu: Gpu, keys: Keys) -> Iterator[str]:
    """What else would make the same context fit: the next tensor size, the next bigger GPU."""
    wanted = min(settings.max_model_len or arch.max_positions, arch.max_positions)

    def enough(candidate: Settings, on: Gpu) -> bool:
        used = memory(arch, candidate, on)
        return promised_pool(used) >= used.cache.request_bytes(wanted)

    for tensor in range(settings.tensor + 1, _LARGEST_TENSOR + 1):
        if _splits(arch, tensor) and enough(replace(settings, tensor=tensor), gpu):
            yield f"{keys.name('parallelism.tensor')}: {tensor}"
            break
    for row in sorted(gpu_products.table().values(), key=lambda row: row.usable_gib):
        if row.vendor == gpu.vendor and row.usable_gib > gpu.usable_gib and enough(settings, row):
            yield f"global.llm.gpu.product: {row.product}"
            break
