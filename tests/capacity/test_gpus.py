"""The GPU table as people and nodes name its products."""

from typing import Any

import pytest

from llmops.capacity import gpu_products
from llmops.capacity.fit import Verdict, fit
from llmops.findings import InputError


@pytest.mark.parametrize(
    ("label", "product"),
    [
        ("NVIDIA-L4", "L4"),
        ("NVIDIA-A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA-A100-80GB-PCIe", "A100-80GB"),
        ("NVIDIA-H100-80GB-HBM3", "H100-80GB"),
        ("NVIDIA-H20", "H20-96GB"),
    ],
)
def test_a_node_label_means_one_product(label: str, product: str) -> None:
    assert [row.product for row in gpu_products.table().values() if label in row.node_labels] == [product]


def test_no_product_promises_more_than_its_nominal_memory() -> None:
    # "80 GB" on the box is decimal or less in GiB once the driver has taken its part.
    nominal = {"L4": 24, "A10": 24, "L20": 48, "L40S": 48}
    for name, row in gpu_products.table().items():
        box = nominal.get(name) or int(name.rsplit("-", 1)[1].removesuffix("GB"))
        assert 0.9 * box < row.usable_gib < box
    assert gpu_products.product("H100-80GB").usable_gib == 79.19


@pytest.mark.parametrize(
    ("product", "version", "step"),
    # vLLM 0.33's own defaults for its server: by memory, and small on A100 and GB10.
    [
        ("B200-180GB", (0, 33), (16384, 1024)),
        ("MI300X-192GB", (0, 33), (16384, 1024)),
        ("B200-180GB", (0, 19), (8192, 1024)),
        ("H100-80GB", (0, 33), (8192, 1024)),
        ("RTXPRO6000-96GB", (0, 33), (8192, 1024)),
        ("GB10-128GB", (0, 33), (2048, 256)),
        ("A100-80GB", (0, 33), (2048, 256)),
        ("RTX5090-32GB", (0, 33), (2048, 256)),
    ],
)
def test_the_step_without_values_is_the_engines_own_for_the_gpu(
    product: str, version: tuple[int, ...], step: tuple[int, int]
) -> None:
    assert gpu_products.product(product).batch(version) == step


def test_an_unknown_product_is_answered_with_what_to_write() -> None:
    with pytest.raises(InputError, match=r'"L5" is not known: .*L4, A10'):
        gpu_products.product("L5")
    with pytest.raises(InputError, match=r"global\.llm\.gpu\.product: A100-80GB$"):
        gpu_products.product("NVIDIA-A100-80GB-PCIe")


NVFP4 = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]}}
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}


@pytest.mark.parametrize(
    ("product", "engine", "change", "verdict", "says"),
    [
        ("A100-80GB", {"kvCacheDtype": "fp8"}, {}, Verdict.FITS, "(compute capability 8) has no FP8"),
        ("RTX3090-24GB", {"kvCacheDtype": "fp8_e4m3"}, {}, Verdict.FITS, "with FlashInfer only"),
        ("L40S", {"kvCacheDtype": "fp8"}, {}, Verdict.FITS, ""),
        ("MI300X-192GB", {"kvCacheDtype": "fp8"}, {}, Verdict.FITS, "another FP8 (e4m3fnuz)"),
        ("H100-80GB", {}, NVFP4, Verdict.FITS, "has no FP4"),
        ("RTX5090-32GB", {}, NVFP4, Verdict.FITS, ""),
        ("MI300X-192GB", {}, NVFP4, Verdict.DOES_NOT_FIT, "no kernel of MI300X-192GB reads"),
    ],
)
def test_formats_without_instructions_are_named(
    product: str, engine: dict[str, Any], change: dict[str, Any], verdict: Verdict, says: str
) -> None:
    found = fit({**LLAMA, **change}, {"maxModelLen": 16384, **engine}, gpu_products.product(product))
    assert found.verdict is verdict
    said = " ".join((*found.reasons, *found.warnings))
    assert says in said if says else said == ""
