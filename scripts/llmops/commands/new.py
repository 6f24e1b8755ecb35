"""`llmops new`: a model's folder of values, with what can be computed and nothing that is invented."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from llmops.commands.names import ENVIRONMENT, GPU, MODEL, MODELS
from llmops.commands.options import CHART, PATH
from llmops.commands.output import say
from llmops.findings import InputError

_HUB = "https://huggingface.co"
# Those of charts/llm-common/global.schema.yaml.
_QUANTIZATIONS = ("awq", "gptq", "fp8", "int8", "mxfp4", "w4a16", "w8a8")
_PATIENCE = 2  # seconds for a hub that may not be reachable


@click.command()
@click.argument("name", metavar="MODEL")
@click.option(
    "--source", required=True, help="hf://ORG/NAME, pvc://CLAIM/PATH, s3://…, oci://… or file:///…."
)
@click.option(
    "--gpu", "product", type=GPU, required=True, help="GPU, a name of the table: L4, L40S, A100-80GB, …"
)
@click.option(
    "--config", type=PATH, help="The model's own config.json; else the catalogue or the hub has it."
)
@click.option("--context", type=click.IntRange(16), help="Tokens of the longest request; 32768 by default.")
@click.option(
    "--env",
    "envs",
    type=ENVIRONMENT,
    multiple=True,
    help="Environment; repeatable, by default all there are.",
)
@click.option(
    "--like", type=MODEL, help="Model whose engine's values are taken along, and nothing else of it."
)
@click.option("--models", type=PATH, default=MODELS, show_default=True, help="Folder of the models.")
def new(
    name: str,
    source: str,
    product: str,
    config: Path | None,
    context: int | None,
    envs: tuple[str, ...],
    like: str | None,
    models: Path,
) -> None:
    """Write the folder of a new MODEL: values, environments, config.json. Without waivers, revision and digest.

    \b
    llmops new qwen3-4b --source hf://Qwen/Qwen3-4B-Instruct-2507 --gpu L40S --config config.json
    """
    from llmops.capacity import gpu_products
    from llmops.capacity.proposal import propose
    from llmops.cards import scaffold

    scaffold.check_name(name)
    folder = models / name
    if folder.exists():
        raise InputError(
            "the folder is there already: choose another name, delete it, or edit its files", str(folder)
        )
    _check_source(source)
    gpu = gpu_products.product(product)
    facts = scaffold.environments_of(folder, envs)
    engine, figures, origin = _known(source, config)
    if like:
        engine = {**engine, **_engine_of(like, models)}
    proposal = propose(figures, gpu, engine, context)
    budget = 4 * proposal.gpus
    quantization = _quantization(proposal.fit.quantization if proposal.fit else "", figures or {})
    values = scaffold.model_values(
        name, source, product, budget, quantization, {"engine": proposal.engine, **proposal.sections}
    )
    environments = {env: scaffold.environment_values(file) for env, file in facts.items()}
    schema = CHART / "values.schema.json"
    where = os.path.relpath(schema, folder) if schema.is_file() else ""
    title = f"{name} on {proposal.gpus} x {product}. Written by `llmops new`."
    scaffold.write(folder, scaffold.texts(values, (title, *proposal.assumed), environments, figures, where))
    _report(name, folder, origin, proposal.assumed, environments, source)


def _report(
    name: str, folder: Path, origin: str, assumed: tuple[str, ...], environments: dict[str, Any], source: str
) -> None:
    first = next(iter(environments))
    hub = source.removeprefix("hf://")
    lines = [
        f"Written: {folder} for {', '.join(environments)}",
        f"Figures: {origin}",
        "Assumed:",
        *(f"  {one}" for one in assumed),
        "Next:",
        *(
            [f"  git ls-remote {_HUB}/{hub} HEAD   # the commit of the weights"]
            if source.startswith("hf://")
            else []
        ),
        "  docker buildx imagetools inspect vllm/vllm-openai:v0.33.0   # the digest of the engine's image",
        f"  llmops release set {name} --env {first} --revision COMMIT --image-digest sha256:DIGEST",
        f"  llmops check --models {folder} --env {first}",
    ]
    secrets = [env for env, (_, own) in environments.items() if "apiKey" in json.dumps(own)]
    if secrets:
        lines.append(
            f"  kubectl create secret generic llm-api-key --from-file ./api-key   # {', '.join(secrets)}"
        )
    say("\n".join(lines))


def _quantization(method: str, config: dict[str, Any]) -> str:
    """The word of `global.llm.model.quantization` for what config.json says; empty where that key has none."""
    from llmops.untyped import below, text

    if method in _QUANTIZATIONS:
        return method
    groups = below(config, ("quantization_config", "config_groups"))
    for group in groups.values() if isinstance(groups, dict) else ():
        kind = (text(below(group, ("weights", "type"))), below(group, ("weights", "num_bits")))
        return {("float", 8): "fp8", ("int", 8): "w8a8", ("int", 4): "w4a16"}.get(kind, "")
    return ""


def _check_source(source: str) -> None:
    from llmops.kubernetes import remedies

    schemes = ("hf://", "pvc://", "s3://", "oci://", "file://")
    if not source.startswith(schemes):
        meant = remedies.of_text(
            source, {"pattern": "^hf://[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"}
        )
        raise InputError(
            f"--source {source} has none of the forms hf://ORG/NAME, pvc://CLAIM/PATH, s3://BUCKET/PATH, "
            "oci://REGISTRY/NAME@sha256:DIGEST, file:///PATH" + (f"; write {meant}" if meant else "")
        )


def _engine_of(like: str, models: Path) -> dict[str, Any]:
    """The engine's values of another model, without the sizes that are computed anew."""
    from llmops.cards.tree import model_folder
    from llmops.render.manifest import read_values
    from llmops.values import Values

    given = Values(read_values(model_folder(like, models) / "values.yaml").data).served.mapping("engine")
    return {
        key: value for key, value in given.items() if key not in ("maxModelLen", "maxNumSeqs", "parallelism")
    }


def _known(source: str, config: Path | None) -> tuple[dict[str, Any], dict[str, Any] | None, str]:
    """(values that the family needs, config.json, where it is from) of a model; None where nobody has the file."""
    from llmops.capacity import catalogue

    hub = source.removeprefix("hf://") if source.startswith("hf://") else ""
    entry = next((one for one in catalogue.entries() if one.hub == hub and one.verified), None)
    engine = dict(entry.engine) if entry else {}
    if config is not None:
        return engine, _read(config), str(config)
    if entry:
        return engine, dict(entry.config), "the catalogue (`llmops models`)"
    if hub and (found := _download(hub)):
        return engine, found, f"config.json of {hub}"
    return engine, None, "none: nobody has its config.json; give --config FILE, or put it into the folder"


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", str(file)) from None
    except ValueError:
        raise InputError("this is not JSON; give the model's own config.json", str(file)) from None
    if not isinstance(found, dict):
        raise InputError("expected the mapping that transformers writes as config.json", str(file))
    return found


def _download(hub: str) -> dict[str, Any] | None:
    """config.json of a repository of the hub; None where it cannot be reached or has none."""
    from urllib.request import urlopen

    endpoint = os.environ.get("HF_ENDPOINT") or _HUB
    if not endpoint.startswith(("http://", "https://")):
        return None
    try:
        with urlopen(f"{endpoint.rstrip('/')}/{hub}/resolve/main/config.json", timeout=_PATIENCE) as answer:  # noqa: S310 the scheme is checked
            found = json.loads(answer.read(5 * 2**20))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
