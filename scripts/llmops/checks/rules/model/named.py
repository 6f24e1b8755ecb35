"""What the model's name, the catalogue and the values say of one another: size, memory, load time, parsers."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import number
from llmops.checks.reading.servers import servers
from llmops.checks.reading.weights import FASTEST, billions, counted, entry, gib
from llmops.checks.registry import ERROR, WARNING, defect, rule, values_defect
from llmops.findings import Finding
from llmops.release import Release

_SOURCE = "/global/llm/model/source"
# Names round, and count embeddings or not; another model is further away.
_APART = 1.6
# Host memory in GiB of each process, the server's own and one for each GPU, and the share of weights that pass through.
_PROCESS, _PASSING = 1.5, 0.02
# Seconds that an engine takes beside reading its weights.
_BEGIN = 15
_PARSERS = (("toolCallParser", "--tool-call-parser"), ("reasoningParser", "--reasoning-parser"))


@rule(
    "LM331",
    severity=ERROR,
    fix="Put the config.json of the model that source names into the folder, or correct source.",
)
def config_of_another_model(release: Release) -> Iterator[Finding]:
    """With the config.json of a smaller model the memory fit says yes to what no GPU of the release can hold.

    Compared are the parameters that config.json counts and those in the name of the source.
    """
    source = release.view.llm.text("model.source")
    named, held = billions(source), counted(release)
    if named and held and not 1 / _APART < held / named < _APART:
        message = f"{source} says {named:g} B parameters, and config.json has {held:.1f} B."
        yield values_defect(release, _SOURCE, message)


@rule(
    "LM332",
    severity=ERROR,
    fix="Write a resources.memoryGiB for the engine's processes and what passes through them.",
)
def memory_below_engine(release: Release) -> Iterator[Finding]:
    """The engine runs a process for itself and one for each GPU, and weights pass through them: with less it is killed.

    Counted are 1.5 GiB for each process and a fiftieth of the weights: an estimate on the low side, not measured.
    """
    served = release.view.served
    memory, weights = served.get("resources.memoryGiB"), gib(release)
    tensor, pipeline = (
        number(served.get(f"engine.parallelism.{one}")) or 1 for one in ("tensor", "pipeline")
    )
    if not isinstance(memory, int | float) or not weights or not release.view.llm.get("gpu.product"):
        return
    least = _PROCESS * (1 + tensor * pipeline) + _PASSING * weights
    if memory < least:
        gpus = tensor * pipeline
        message = f"{memory:g} GiB for {weights:.0f} GiB of weights on {gpus} GPUs; it takes {least:.0f} GiB."
        yield values_defect(release, served.at("resources.memoryGiB"), message)


@rule(
    "LM333",
    severity=WARNING,
    fix="Write the measured seconds from the start of the process to its first answer.",
)
def load_faster_than_disks(release: Release) -> Iterator[Finding]:
    """Probes and deadlines follow from the load time: one that no disk reaches gets every server killed as it loads.

    Counted are the weights at 8 GiB a second, and 15 seconds for the engine itself.
    """
    served, weights = release.view.served, gib(release)
    stated = number(served.get("lifecycle.loadSeconds"))
    if stated and weights and stated < (least := _BEGIN + weights / FASTEST):
        message = f"loading {weights:.0f} GiB is to take {stated} s; the fastest disks need {least:.0f} s."
        yield values_defect(release, served.at("lifecycle.loadSeconds"), message)


@rule("LM334", severity=WARNING, fix="Write the parser of the model's family; docs/models.md lists them.")
def parser_of_another_family(release: Release) -> Iterator[Finding]:
    """A parser that waits for another family's marks finds none: tool calls and thoughts arrive as plain text.

    Judged are models of the catalogue (`llmops models`), under the name of their repository or one that begins with it.
    """
    view = release.view
    source = view.llm.text("model.source").removeprefix("hf://")
    known = entry(source) if source else None
    for key, _ in _PARSERS if known else ():
        stated, right = view.served.text(f"engine.{key}"), known.engine.get(key) if known else None
        if stated and right and stated != right:
            message = f"{key} is {stated}, and {source} is of a family that takes {right}."
            yield values_defect(
                release, view.served.at(f"engine.{key}"), message, fix=f"Write {key}: {right}."
            )
    for server in servers(release) if not source else ():
        word = server.model
        known = entry(word.value) if word else None
        for key, flag in _PARSERS if known else ():
            given, right = server.flag(flag), known.engine.get(key) if known else None
            if given and right and given.value != right:
                message = f"{flag} is {given.value}, and {known.hub if known else ''} takes {right}."
                yield defect(server.owner, given.pointer, message, fix=f"Write {flag}={right}.")
