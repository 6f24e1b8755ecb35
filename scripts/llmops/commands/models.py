"""`llmops models`: which models of the catalogue fit which GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from llmops.commands.names import GPU
from llmops.commands.output import say

if TYPE_CHECKING:
    from llmops.capacity.catalogue import Choice, Entry


@click.command()
@click.argument("name", required=False)
@click.option("--gpu", "product", type=GPU, help="A name of the GPU table: what fits so many of them.")
@click.option("--count", type=click.IntRange(1, 64), default=1, show_default=True, help="GPUs of one server.")
@click.option(
    "--context", type=click.IntRange(16), default=32_768, show_default=True, help="Tokens of one request."
)
@click.option("--values", is_flag=True, help="The engine's values of NAME, a model or a family, as YAML.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def models(name: str | None, product: str | None, count: int, context: int, values: bool, form: str) -> None:
    """Say which models of the catalogue fit GPUs, by the estimate of `llmops fit`; NAME is one model or family."""
    import json

    import yaml

    from llmops.capacity import catalogue, gpu_products
    from llmops.capacity.table import grid

    found = catalogue.named(name) if name else catalogue.entries()
    if values:
        if not name:
            raise click.UsageError("--values needs NAME, a model or a family of the catalogue")
        say(yaml.safe_dump(_values(found[0]), sort_keys=False).rstrip("\n"))
        return
    if product:
        gpu = gpu_products.product(product)
        tried = [catalogue.choice(entry, gpu, count, context) for entry in found if entry.verified]
        unknown = [entry for entry in found if not entry.verified]
        if form == "json":
            say(json.dumps({"models": [_document(one) for one in tried]}), form)
            return
        head = ("model", "GPUs", "weights", "KV GiB", "context", "sequences", "verdict")
        say("\n".join(grid([head, *map(_cells, tried)])))
        if unknown:
            say(
                f"\nNo verdict, since nobody could read their figures: {', '.join(one.title for one in unknown)}."
            )
        return
    if form == "json":
        say(json.dumps({"models": [_entry(one) for one in found]}), form)
        return
    lines = [("model", "family", "parameters", "context", "repository", "values"), *map(_line, found)]
    say("\n".join(grid(lines)))


def _values(entry: Entry) -> dict[str, Any]:
    """What stands in values.yaml for the model, or for a fine-tune of it under another name."""
    return {
        "global": {"llm": {"model": {"name": entry.name, "source": f"hf://{entry.hub}"}}},
        "vllm-inference": {"engine": dict(entry.engine)},
    }


def _cells(one: Choice) -> tuple[str, ...]:
    fit, name = one.fit, one.entry.title
    where = f"{one.count} x {one.gpu.product}"
    if not fit.sized:
        least = f"at least {fit.at_least:.1f}" if fit.at_least else "-"
        return (name, where, least, "-", "-", "-", fit.verdict.value)
    return (
        name,
        where,
        f"{fit.weights:.1f}",
        f"{fit.kv_pool:.1f}",
        f"{fit.largest_context:,}" if fit.largest_context else "-",
        str(fit.sequences),
        fit.verdict.value,
    )


def _document(one: Choice) -> dict[str, Any]:
    fit = one.fit
    sizes = {"weights": fit.weights, "kv": fit.kv_pool, "largestContext": fit.largest_context}
    return {
        **_entry(one.entry),
        "gpu": one.gpu.product,
        "count": one.count,
        "verdict": fit.verdict.value,
        **sizes,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "variant": entry.variant,
        "family": entry.family,
        "repository": entry.hub,
        "verified": entry.verified,
        "engine": dict(entry.engine),
    }


def _line(entry: Entry) -> tuple[str, ...]:
    import json

    return (
        entry.title,
        entry.family,
        f"{entry.billions:g} B" if entry.billions else "-",
        f"{entry.longest:,}" if entry.longest else "not known",
        entry.hub,
        json.dumps(dict(entry.engine)) if entry.engine else "-",
    )
