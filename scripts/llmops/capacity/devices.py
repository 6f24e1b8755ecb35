"""What a GPU has no instructions for: formats that an engine refuses there, or takes by another way."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.capacity.gpu_products import Gpu
from llmops.capacity.reasons import Keys, Reason
from llmops.capacity.settings import Settings
from llmops.findings import Severity

# First compute capability with FP8, and with FP4 (Blackwell).
FP8_SINCE, FP4_SINCE = 8.9, 10.0
# Of AMD's: FP8 of another form (e4m3fnuz), and no FP4.
_OTHER_FP8 = "gfx942"


def of_the_device(settings: Settings, gpu: Gpu, keys: Keys) -> Iterator[Reason]:
    """Formats of the cache and the weights that this GPU cannot compute with."""
    if settings.kv_dtype.startswith("fp8"):
        yield from _cache(settings, gpu, keys)
    if settings.quantization != "nvfp4":
        return
    if gpu.vendor != "nvidia":
        yield keys.error(
            "quantization",
            f"is nvfp4, a format of NVIDIA's that no kernel of {gpu.product} reads",
            "Take a checkpoint in FP8 or MXFP4, or another GPU.",
        )
    elif gpu.capability < FP4_SINCE:
        yield _warning(
            keys,
            "quantization",
            f"is nvfp4, and {gpu.product} (compute capability {gpu.capability:g}) has no FP4: weights take the memory "
            "that is counted and are unpacked for each step, so it is slower than its bits promise",
            "Hold its speed against a checkpoint in FP8 or with 4 bit integers.",
        )


def _cache(settings: Settings, gpu: Gpu, keys: Keys) -> Iterator[Reason]:
    if gpu.vendor == "nvidia" and gpu.capability < FP8_SINCE:
        yield _warning(
            keys,
            "kvCacheDtype",
            f"is {settings.kv_dtype}, and {gpu.product} (compute capability {gpu.capability:g}) has no FP8: vLLM 0.33 "
            "takes it there with FlashInfer only, and ends at start without",
            "Leave it empty, or try the image on such a GPU before.",
        )
    elif gpu.instructions == _OTHER_FP8:
        yield _warning(
            keys,
            "kvCacheDtype",
            f"is {settings.kv_dtype}, and {gpu.product} has another FP8 (e4m3fnuz): scales are converted",
            "Hold its answers against those of a cache in 16 bit.",
        )


def _warning(keys: Keys, key: str, message: str, fix: str) -> Reason:
    return Reason(Severity.WARNING, keys.path(key), f"{keys.name(key)} {message}", fix, about="gpu")
