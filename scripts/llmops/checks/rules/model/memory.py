"""Revisions, code and memory of the model, by the values and its config.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from llmops.capacity import fit
from llmops.capacity.architecture import CONFIG
from llmops.capacity.devices import FP8_SINCE
from llmops.capacity.gpu_products import table
from llmops.checks.reading.command_line import Word, lines
from llmops.checks.reading.hub import gated, may_load
from llmops.checks.reading.servers import servers
from llmops.checks.registry import ERROR, WARNING, defect, rule, values_defect, values_source
from llmops.findings import Finding, InputError, Severity
from llmops.release import Release, model_file
from llmops.render.manifest import read_text
from llmops.untyped import mapping, text

MODEL = "/global/llm/model"
# Methods that the values call as config.json does.
_METHODS = ("awq", "gptq", "fp8", "mxfp4")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@rule(
    "LM301",
    severity=ERROR,
    fix="Write the commit of the model repository, 40 hex digits, into global.llm.model.revision: "
    "`llmops release set MODEL --env ENV --revision COMMIT`.",
)
def unpinned_revision(release: Release) -> Iterator[Finding]:
    """A branch or no revision loads whatever the repository holds that day, other weights and code included.

    Two replicas of one release may then answer differently, and a rollback does not restore the old weights.
    """
    llm = release.view.llm
    source, revision = llm.text("model.source"), llm.get("model.revision")
    if not source.startswith("hf://") or (isinstance(revision, str) and _COMMIT.fullmatch(revision)):
        return
    given = f"is {revision!r}, no commit" if revision else "is empty"
    yield values_defect(release, f"{MODEL}/revision", f"the revision of {source} {given}.")


@rule(
    "LM302",
    severity=ERROR,
    fix="Take the flag away, or read that code, pin its revision and waive the finding with the reason.",
)
def remote_code(release: Release) -> Iterator[Finding]:
    """With this flag the engine runs Python files of the model's repository, with the GPU node's network and tokens.

    A model that cannot do without it gets a waiver that says who read the code.
    """
    for pods, line in lines(release):
        for word in line.flags("--trust-remote-code"):
            if word.value.lower() not in ("false", "0"):
                message = "the engine runs code that comes with the model."
                yield defect(pods.owner, word.pointer, message)


@rule(
    "LM303",
    severity=WARNING,
    fix="Write one and the same commit into --revision, --tokenizer-revision and --code-revision.",
)
def mixed_revisions(release: Release) -> Iterator[Finding]:
    """Weights of one commit with the tokenizer or the code of another answer differently from what was evaluated.

    With a tokenizer from a repository of its own (--tokenizer) its revision is another thing.
    """
    for pods, line in lines(release):
        weights = _last(line.flags("--revision"))
        for flag in ("--tokenizer-revision", "--code-revision"):
            other = _last(line.flags(flag))
            apart = flag == "--tokenizer-revision" and line.flags("--tokenizer")
            if other and not apart and other.value != (weights.value if weights else ""):
                stated = f"--revision {weights.value}" if weights else "no --revision"
                message = f"{flag} {other.value} stands beside {stated}."
                yield defect(pods.owner, other.pointer, message)


@rule("LM304", severity=ERROR, fix="Write a smaller context, more parallelism, or a GPU with more memory.")
def does_not_fit(release: Release) -> Iterator[Finding]:
    """An engine whose weights, overheads and one longest request exceed its GPUs refuses to start, or dies loading.

    The estimate and its margin are those of `llmops fit`. Without the model's config.json, a GPU product, or
    an architecture that it covers there is no verdict.
    """
    yield from _memory(release, ERROR, "memory", "gpu")


@rule("LM305", severity=WARNING, fix="Leave more memory free.")
def memory_tight(release: Release) -> Iterator[Finding]:
    """What the estimate cannot exclude: the engine may run out of memory after its cache is sized."""
    yield from _memory(release, WARNING, "memory")


@rule("LM306", severity=ERROR, fix="Write a cache.sizeGiB of the weights and half as much again.")
def cache_below_weights(release: Release) -> Iterator[Finding]:
    """Weights from the hub are written to the pod's cache; one that is too small gets the pod evicted while it loads.

    Judged where the weights can be counted (config.json), and the cache is not a claim whose size is unknown.
    """
    served = release.view.served
    size = served.get("cache.sizeGiB")
    if not release.view.llm.text("model.source").startswith("hf://") or served.get("cache.existingClaim"):
        return
    try:
        found = fit.from_release(release)
    except InputError:
        return  # does_not_fit says so
    # The fullest GPU holds a little more than its share.
    least = 0.9 * found.weights * found.tensor * found.pipeline if found else 0.0
    if isinstance(size, int) and size < least:
        message = f"the cache has {size} GiB, and the weights alone take about {least:.0f} GiB."
        yield values_defect(release, served.at("cache.sizeGiB"), message)


@rule("LM307", severity=WARNING, fix="Write a format that the GPU computes with, or another GPU.")
def format_without_instructions(release: Release) -> Iterator[Finding]:
    """A cache or weights in a format that the GPU has no instructions for: the engine refuses it, or is slow.

    FP8 came with compute capability 8.9, FP4 with Blackwell; an MI300X has an FP8 of its own. The GPU table
    (`llmops models`, docs/models.md) and config.json tell.
    """
    yield from _memory(release, WARNING, "gpu")
    served = release.view.served
    stated, gpu = served.text("engine.kvCacheDtype"), table().get(release.view.llm.text("gpu.product"))
    without = gpu is not None and gpu.vendor == "nvidia" and gpu.capability < FP8_SINCE
    if gpu and without and release.model is None and stated.startswith("fp8"):
        said = f"{gpu.product} (compute capability {gpu.capability:g}) has no FP8"
        yield values_defect(
            release, served.at("engine.kvCacheDtype"), f"kvCacheDtype is {stated}, and {said}."
        )


@rule("LM308", severity=WARNING, fix="Bring what is missing, or measure the memory on the GPU itself.")
def not_judged(release: Release) -> Iterator[Finding]:
    """Without a verdict of the memory fit nothing says whether the engine starts, and nobody would notice.

    It takes the model's config.json, a family that the estimate covers, and a GPU product.
    """
    inputs, view = release.inputs, release.view
    if inputs is None or inputs.model_dir is None or not inputs.environment:
        return
    if not view.llm.text("model.source") or not view.served.mapping("engine"):
        return
    if release.model is None:
        message = "there is no config.json, so that nothing says whether the model fits into memory."
        fix = "Put the model's own config.json into its folder."
        yield _of_file(release, f"{inputs.model_dir / 'config.json'}:1", message, fix)
        return
    if not view.llm.get("gpu.product"):
        if view.llm.get("gpu.resource"):
            message = "no GPU is named, so that nothing says whether the model fits into its memory."
            yield values_defect(
                release, "/global/llm/gpu/product", message, fix="Write one of the GPU table."
            )
        return
    try:
        found = fit.from_release(release)
    except InputError:
        return  # does_not_fit says so
    if found is not None and not found.covered:
        message = f"the memory fit has no verdict for {found.uncovered}."
        yield _of_file(release, _line_of(release, "model_type"), message, "")


@rule(
    "LM309",
    severity=WARNING,
    fix="Write what config.json says, or put the config.json of these weights into the folder.",
)
def quantization_differs(release: Release) -> Iterator[Finding]:
    """What config.json says of its weights is what the engine loads; another word in the values misleads readers."""
    stated = release.view.llm.text("model.quantization")
    given = text(mapping((release.model or {}).get("quantization_config")).get("quant_method"))
    if stated and given in _METHODS and stated != given:
        message = f"quantization is {stated}, and config.json says {given}."
        yield values_defect(release, f"{MODEL}/quantization", message)


def _of_file(release: Release, source: str, message: str, fix: str) -> Finding:
    return Finding(
        rule="",
        severity=ERROR,
        message=message,
        fix=fix,
        namespace=release.namespace,
        name=release.name,
        source=source,
    )


def _line_of(release: Release, key: str) -> str:
    """FILE:LINE of a key of config.json; line 1 where it has none."""
    file = model_file(release.inputs) if release.inputs else None
    if file is None:
        return f"{CONFIG}:1"
    quoted = f'"{key}"'
    found = (number for number, line in enumerate(read_text(file).splitlines(), 1) if quoted in line)
    return f"{file}:{next(found, 1)}"


@rule(
    "LM321",
    severity=WARNING,
    fix="Name the Secret with the hub's token in hub.tokenSecret.name; in a manifest take HF_TOKEN from a Secret.",
)
def gated_without_token(release: Release) -> Iterator[Finding]:
    """The hub answers 401 or 403 for a repository whose terms nobody accepted: the server ends before it has loaded.

    Judged are organisations and models that are known to ask, and servers that load from the hub itself: with a mirror,
    a token from elsewhere or no network at all it may be well.
    """
    view, named = release.view, set()
    source = view.llm.text("model.source")
    if source.startswith("hf://") and gated(source.removeprefix("hf://")):
        mirrored = view.llm.text("environment.hubEndpoint")
        if not mirrored and not view.served.text("hub.tokenSecret.name"):
            named.add(source.removeprefix("hf://"))
            at = view.served.at("hub.tokenSecret.name")
            yield values_defect(release, at, f"{source} is gated, and there is no token of the hub.")
    for server in servers(release):
        word = server.model
        if word and word.value not in named and gated(word.value) and not may_load(server):
            message = f"{word.value} is gated, and {server.name} has no token of the hub."
            yield defect(server.owner, word.pointer, message)


def _last(words: list[Word]) -> Word | None:
    """Of a flag that is given twice the last one counts."""
    return words[-1] if words else None


def _memory(release: Release, severity: Severity, *about: str) -> Iterator[Finding]:
    for reason in fit.reasons(release):
        if reason.severity is not severity or reason.about not in about:
            continue
        pointer = reason.path.removeprefix("values")
        if not pointer and release.model is not None:
            # A figure of config.json, which no values file has.
            yield _of_file(release, _line_of(release, ""), f"{reason.message}.", reason.fix)
            continue
        found = values_defect(release, pointer, f"{reason.message}.", fix=reason.fix)
        if not any(file.decides(pointer) for file in release.values_files):
            # The key is at its default: what was chosen is the GPU.
            found = replace(found, source=values_source(release, "/global/llm/gpu/product"))
        yield found
