"""docs/models.md: which model of the catalogue fits which GPUs, and the values that it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops.capacity import catalogue, gpu_products
from llmops.capacity.catalogue import CONTEXT, Entry

PAGE = Path("docs/models.md")
# One product of each size that teams have.
PRODUCTS = (
    "L4",
    "RTX4090-24GB",
    "RTX5090-32GB",
    "L40S",
    "A100-80GB",
    "H100-80GB",
    "RTXPRO6000-96GB",
    "GB10-128GB",
    "H200-141GB",
    "B200-180GB",
    "MI300X-192GB",
)
_HEAD = f"""# Which model fits my GPUs

`llmops models` has a catalogue of models that people serve, the engine's values that they need, and what they fit by the estimate of
[`llmops fit`](fit.md). This page is made of it by `make generate`.

```
llmops models --gpu L40S --count 2
llmops models --gpu H200-141GB --count 8 --context 131072
llmops models qwen3.6-27b --values
```

The last one prints the values of a model, or of its whole family (`llmops models qwen3.5 --values`): a fine-tune under a name of its own takes
the same and another `global.llm.model.source`.

## Fewest GPUs

The GPUs of one server with which a request of {CONTEXT:,} tokens is promised, in bfloat16 or as the checkpoint is packed; `·` is none of one
node. The engine is the newest, with the values below. A GPU without a run of its kind in [fit.md](fit.md) has an estimate that nobody measured.
"""  # noqa: E501
_UNKNOWN = """## Without a verdict

Nobody could read the figures of these models, or the engine has them in a form that the estimate does not count. Their own config.json beside
the values gives the least that the weights take.
"""  # noqa: E501


def generate(root: Path) -> None:
    """Writes the page below `root`."""
    (root / PAGE).write_text("\n".join(_lines()) + "\n", encoding="utf-8")


def _lines() -> Iterator[str]:
    known = [entry for entry in catalogue.entries() if entry.verified]
    yield _HEAD
    yield f"| model | {' | '.join(PRODUCTS)} |"
    yield "|---" * (len(PRODUCTS) + 1) + "|"
    for entry in known:
        yield f"| {entry.title} | {' | '.join(_fewest(entry, name) for name in PRODUCTS)} |"
    yield "\n## What each model needs\n"
    yield "| model | repository | parameters | context | values of the engine |"
    yield "|---|---|---|---|---|"
    for entry in known:
        yield (
            f"| {entry.title} | `{entry.hub}` | {entry.billions:g} B | {entry.longest:,} | {_values(entry.engine)} |"
        )
    yield "\n## By family\n"
    for name, family in catalogue.families().items():
        notes = "; ".join(family.get("notes", []))
        yield f"- **{name}**: {family['source']}.{f' {notes[:1].upper()}{notes[1:]}.' if notes else ''}"
    yield f"\n{_UNKNOWN}"
    yield "| model | repository | parameters | values of the engine |"
    yield "|---|---|---|---|"
    for entry in catalogue.entries():
        if not entry.verified:
            size = f"{entry.billions:g} B" if entry.billions else "not published"
            yield f"| {entry.title} | `{entry.hub}` | {size} | {_values(entry.engine)} |"


def _fewest(entry: Entry, product: str) -> str:
    found = catalogue.smallest(entry, gpu_products.product(product))
    return str(found.count) if found else "·"


def _values(engine: Mapping[str, Any]) -> str:
    words = [
        f"`{key}: {value if isinstance(value, str) else json.dumps(value)}`" for key, value in engine.items()
    ]
    return ", ".join(words) or "none"
