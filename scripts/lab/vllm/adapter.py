"""A LoRA adapter that says one thing, trained here: half a minute on two processors.

`python adapter.py MODEL OUT QUESTION ANSWER`, by the engine's Python. The adapter has rank 8 on the query and value
projections, in the files and names that PEFT writes.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

RANK, ALPHA, STEPS, ENOUGH = 8, 16, 60, 0.02
TARGETS = ("q_proj", "v_proj")


class Lora(nn.Module):  # type: ignore[misc] # torch is not installed here
    """A frozen linear layer with a trained product of two small matrices beside it."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(RANK, base.in_features) / base.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + (x @ self.down.T @ self.up.T) * (ALPHA / RANK)


def train(folder: str, question: str, answer: str) -> dict[str, Lora]:
    """Name of each layer -> what was trained for it."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).requires_grad_(False)
    layers: dict[str, Lora] = {}
    for name, module in list(model.named_modules()):
        if name.endswith(TARGETS):
            layers[name] = Lora(module)
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, layers[name])
    asked = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    begin = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    end = tokenizer(f"{answer}<|im_end|>", add_special_tokens=False)["input_ids"]
    tokens = torch.tensor([begin + end])
    # Only the answer is learnt.
    labels = torch.tensor([[-100] * len(begin) + end])
    trained = [each for layer in layers.values() for each in (layer.down, layer.up)]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    for _ in range(STEPS):
        loss = model(input_ids=tokens, labels=labels).loss
        if loss.item() < ENOUGH:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return layers


def write(layers: dict[str, Lora], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    weights = {}
    for name, layer in layers.items():
        weights[f"base_model.model.{name}.lora_A.weight"] = layer.down.detach().contiguous()
        weights[f"base_model.model.{name}.lora_B.weight"] = layer.up.detach().contiguous()
    save_file(weights, out / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(TARGETS),
    }
    (out / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(train(sys.argv[1], sys.argv[3], sys.argv[4]), Path(sys.argv[2]))
