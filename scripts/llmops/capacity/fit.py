"""Does the model fit the GPU, and with how much context? A verdict before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from llmops.capacity import gpu_products, prefill
from llmops.capacity import reasons as why
from llmops.capacity.adapters import adapter_bytes
from llmops.capacity.architecture import CONFIG, FigureError, architecture, uncovered
from llmops.capacity.bound import least_weights
from llmops.capacity.devices import of_the_device
from llmops.capacity.gpu_products import Gpu
from llmops.capacity.kv import whole_token_bytes
from llmops.capacity.memory import GIB, batch, memory
from llmops.capacity.reasons import Keys, Reason
from llmops.capacity.settings import Settings, read
from llmops.capacity.vision import Tower
from llmops.capacity.weights import parameters
from llmops.findings import InputError, Severity
from llmops.release import memoized, model_file
from llmops.values import LLM, setting

if TYPE_CHECKING:
    from llmops.release import Release


class Verdict(StrEnum):
    FITS = "fits"
    TIGHT = "tight"
    DOES_NOT_FIT = "does not fit"
    NOT_COVERED = "not covered yet: no verdict"


@dataclass(frozen=True)
class Fit:
    """The memory of one replica.

    Sizes are GiB on its fullest GPU; `usable` is what the driver leaves to one process. `kv_pool` and
    `kv_tokens` are the estimate; `largest_context` (tokens) and `concurrency` (requests of `max_model_len`
    tokens at once) already have the margin taken off, so they can be promised. KV bytes are per token.
    The sizes are estimates; `gpu_measured` is True where `usable` was read from a running engine on that
    product. Without a verdict, and for a split that no engine can make, every size is 0, but for `at_least`: GiB of
    weights on one GPU that are known without it.
    """

    verdict: Verdict
    notes: tuple[Reason, ...] = ()
    uncovered: str = ""
    at_least: float = 0.0
    product: str = ""
    gpu_measured: bool = False
    usable: float = 0.0
    utilization: float = 0.0
    weights: float = 0.0
    activation: float = 0.0
    non_torch: float = 0.0
    adapters: float = 0.0
    graphs: float = 0.0
    kv_pool: float = 0.0
    pool_margin: float = 0.0
    parameters: int = 0
    quantization: str = ""
    kv_dtype: str = ""
    tensor: int = 1
    pipeline: int = 1
    kv_bytes_per_token: int = 0
    kv_bytes_per_token_per_gpu: int = 0
    kv_tokens: int = 0
    max_model_len: int = 0
    max_position_embeddings: int = 0
    largest_context: int = 0
    concurrency: float = 0.0
    max_num_seqs: int = 0

    @property
    def margin(self) -> float:
        """Share of the KV pool that one request of the whole context leaves; negative where it does not fit."""
        return 1 - (1 - self.pool_margin) / self.concurrency if self.concurrency else 0.0

    @property
    def sequences(self) -> int:
        """Requests of the whole context at once that can be promised: a maxNumSeqs that never preempts."""
        return int(self.concurrency)

    @property
    def fits(self) -> bool:
        """Whether nothing refuses it, with margin or without; look at `covered` before reading False as a refusal."""
        return self.verdict in (Verdict.FITS, Verdict.TIGHT)

    @property
    def covered(self) -> bool:
        """Whether there is a verdict at all."""
        return self.verdict is not Verdict.NOT_COVERED

    @property
    def sized(self) -> bool:
        """Whether the sizes mean anything."""
        return self.weights > 0

    @property
    def left_free(self) -> float:
        """GiB that the engine leaves on one GPU, where CUDA graphs live; never less than 0."""
        return max(
            0.0, self.usable - self.weights - self.adapters - self.activation - self.non_torch - self.kv_pool
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it would not start, or why there is no verdict; one sentence each, empty when it fits."""
        if not self.covered:
            least = (
                f" The weights alone take at least {self.at_least:.1f} GiB of each GPU."
                if self.at_least
                else ""
            )
            return (f"{self.verdict.capitalize()} for {self.uncovered}.{least}",)
        return tuple(str(note) for note in self.notes if note.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may keep it from starting, one sentence each."""
        return tuple(str(note) for note in self.notes if note.severity is Severity.WARNING)


def fit(
    model_config: Mapping[str, Any],
    engine: Mapping[str, Any],
    gpu: Gpu,
    gpus_per_replica: int | None = None,
    *,
    quantization: str = "",
    prefix: str = "vllm-inference.",
    keys: Keys | None = None,
) -> Fit:
    """The memory of one replica of a model (config.json) with the values under `engine` on one product.

    `gpus_per_replica` is what a pod asks for (None: tensor x pipeline); `quantization` is the description in
    global.llm.model; `prefix` is what stands before `engine.` in the values, for the sentences, and
    `keys` names the keys where they stand elsewhere. Raises InputError for figures that cannot be read.
    """
    keys = keys or Keys(prefix)
    beyond = uncovered(model_config)
    settings = read(model_config, engine, quantization, prefix)
    if beyond := beyond or settings.uncovered:
        return _least(model_config, settings, gpu, beyond, keys)
    arch = architecture(model_config)
    if settings.text_only:
        arch = replace(arch, tower=Tower())
    if adapter_bytes(arch, settings) is None:
        beyond = f"{prefix}engine.lora.adapters beside experts, latent attention or states"
        return _least(model_config, settings, gpu, beyond, keys)
    if impossible := tuple(why.of_the_split(arch, settings, gpus_per_replica, keys)):
        return Fit(Verdict.DOES_NOT_FIT, impossible, product=gpu.product)
    used = memory(arch, settings, gpu)
    notes = (
        *why.of_the_memory(arch, settings, gpu, used, keys),
        *why.of_the_rest(arch, settings, gpu, keys),
        *of_the_device(settings, gpu, keys),
    )
    refused = any(note.severity is Severity.ERROR for note in notes)
    context_tokens = settings.max_model_len or arch.max_positions
    promised = why.promised_pool(used)
    return Fit(
        verdict=Verdict.DOES_NOT_FIT
        if refused
        else Verdict.TIGHT
        if any(note.about == "memory" for note in notes)
        else Verdict.FITS,
        notes=notes,
        product=gpu.product,
        gpu_measured=gpu.measured,
        usable=gpu.usable_gib,
        utilization=settings.utilization,
        weights=used.weights,
        activation=used.activation,
        non_torch=used.non_torch,
        adapters=used.adapters,
        graphs=used.graphs,
        kv_pool=used.kv_pool,
        pool_margin=used.margin,
        parameters=parameters(arch),
        quantization=settings.quantization,
        kv_dtype=settings.kv_dtype,
        tensor=settings.tensor,
        pipeline=settings.pipeline,
        kv_bytes_per_token=int(whole_token_bytes(arch, settings.kv_bytes)),
        kv_bytes_per_token_per_gpu=int(used.cache.token_bytes),
        kv_tokens=used.cache.tokens(used.kv_pool * GIB, min(context_tokens, arch.max_positions)),
        max_model_len=context_tokens,
        max_position_embeddings=arch.max_positions,
        largest_context=why.largest_context(arch, used),
        concurrency=promised / used.cache.request_bytes(min(context_tokens, arch.max_positions)),
        max_num_seqs=batch(settings, gpu)[1],
    )


def _least(config: Mapping[str, Any], settings: Settings, gpu: Gpu, beyond: str, keys: Keys) -> Fit:
    """What is known without a verdict: the least that the weights take, which may be too much already."""
    least, share = least_weights(config, settings), settings.utilization * gpu.usable_gib
    empty = Fit(Verdict.NOT_COVERED, uncovered=beyond, product=gpu.product, at_least=least)
    if least < share:
        return empty
    message = (
        f"is {settings.tensor}, so the weights alone take at least {least:.1f} GiB of each {gpu.product}, where "
        f"gpuMemoryUtilization {settings.utilization:g} leaves {share:.1f} GiB"
    )
    fix = "Write a larger one, a GPU with more memory, or a quantization with fewer bits."
    return replace(
        empty, verdict=Verdict.DOES_NOT_FIT, notes=(keys.error("parallelism.tensor", message, fix),)
    )


def from_release(release: Release) -> Fit | None:
    """The fit of a release's engine, of a split that of its decode servers; None where `missing` names what it takes.

    Raises InputError for a product that is not in the table and for figures that cannot be read.
    """
    return memoized(_of_engine, release)


def of_prefill(release: Release) -> Fit | None:
    """The fit of the prefill servers of a split; None without one, else as `from_release`."""
    return memoized(_of_prefill, release)


def _of_engine(release: Release) -> Fit | None:
    served = release.view.served
    return _of(release, served.mapping("engine"), Keys(served.key("")))


def _of_prefill(release: Release) -> Fit | None:
    served = release.view.served
    own = prefill.engine(served.data, served.mapping("engine"))
    return None if own is None else _of(release, own, prefill.PrefillKeys(served.key("")))


def _of(release: Release, engine: Mapping[str, Any], keys: Keys) -> Fit | None:
    if release.model is None or missing(release):
        return None
    llm = release.view.llm
    try:
        return fit(
            release.model,
            engine,
            gpu_products.described(str(llm.get("gpu.product")), llm.mapping("gpu.figures")),
            quantization=str(llm.get("model.quantization") or ""),
            prefix=keys.prefix,
            keys=keys,
        )
    except FigureError as error:
        file = model_file(release.inputs) if release.inputs else None
        raise InputError(f"{file or CONFIG}{error.message.removeprefix(CONFIG)}") from error


def missing(release: Release) -> tuple[str, ...]:
    """What a verdict takes and this release does not have, in words; empty where `from_release` has one."""
    view = release.view
    found = {
        "there is no config.json beside the values": release.model is None,
        "the values have no engine": not view.served.mapping("engine"),
        "global.llm.gpu.product is empty": not view.llm.get("gpu.product"),
    }
    return tuple(what for what, true in found.items() if true)


def itl_seconds(release: Release) -> float:
    """What the release promises for the time between two tokens, in seconds: its own, else the contract's default."""
    stated = release.view.llm.number("slo.itlP95Seconds")
    promised: float = setting(LLM, "slo.itlP95Seconds").default
    return float(stated) if stated is not None and stated > 0 else promised


def reasons(release: Release) -> tuple[Reason, ...]:
    """What a check reports of a release's memory; nothing where it fits and where there is no verdict.

    A figure that cannot be read is an error: the gate must not open because of it. A GPU product that is not in the
    table is a warning, as a model that is not covered has no verdict either.
    """
    try:
        result, other = from_release(release), of_prefill(release)
    except InputError as error:
        message, _, remedy = str(error).rpartition(": write ")
        product = message.startswith("GPU product")
        path = "values/global/llm/gpu/product" if product else ""
        severity = Severity.WARNING if product else Severity.ERROR
        return (Reason(severity, path, message, f"Write {remedy.rstrip('.')}."),)
    found = result.notes if result else ()
    # What both have against a shared key is said once.
    named = {(one.path, one.severity) for one in found}
    return (*found, *(one for one in (other.notes if other else ()) if (one.path, one.severity) not in named))
