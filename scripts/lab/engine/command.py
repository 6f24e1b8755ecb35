"""vLLM's command line as the chart writes it: MODEL, then flags. Unknown flags pass, values are read where used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class UsageError(Exception):
    """A command line that vLLM would refuse too, in one sentence."""


@dataclass(frozen=True)
class Command:
    """`flags` maps a name without dashes to its values; of a repeated flag the last one counts."""

    model: str
    flags: Mapping[str, tuple[str, ...]]

    def text(self, flag: str, default: str) -> str:
        values = self.flags.get(flag, ())
        return values[0] if values else default

    def number(self, flag: str, default: int) -> int:
        text = self.text(flag, str(default))
        if not text.isdigit():
            raise UsageError(f"--{flag}={text} is not a whole number: write --{flag}=N")
        return int(text)

    @property
    def names(self) -> tuple[str, ...]:
        """Names the model answers to; the first one is the label model_name."""
        return self.flags.get("served-model-name") or (self.model,)

    @property
    def max_model_len(self) -> int:
        return self.number("max-model-len", 32768)

    @property
    def max_num_seqs(self) -> int:
        return self.number("max-num-seqs", 256)

    @property
    def api_servers(self) -> int:
        """As many as copies of the model, unless it is said."""
        return self.number("api-server-count", max(1, self.number("data-parallel-size", 1)))

    def asks_for(self, requires: str, environment: Mapping[str, str]) -> bool:
        """Whether this start fulfils a metric's `requires` of the catalogue."""
        if not requires:
            return True
        if requires.startswith("--"):
            flag, _, wanted = requires[2:].partition("=")
            return flag in self.flags and wanted in " ".join(self.flags[flag])
        return environment.get(requires, "0") not in ("", "0")


def is_flag(argument: str) -> bool:
    return argument.startswith("-") and not argument[1:2].isdigit()


def parse(arguments: Sequence[str]) -> Command:
    """Reads what follows `vllm serve`. UsageError if there is not exactly one model before the flags."""
    start = next((i for i, argument in enumerate(arguments) if is_flag(argument)), len(arguments))
    models = arguments[:start]
    if len(models) != 1:
        raise UsageError(
            f"one model is needed before the flags, got {list(models)}: write MODEL [--flag=value ...]"
        )
    flags: dict[str, tuple[str, ...]] = {}
    name = ""
    for argument in arguments[start:]:
        if is_flag(argument):
            name, equals, value = argument.lstrip("-").partition("=")
            name = name.replace("_", "-")
            flags[name] = (value,) if equals else ()
        else:
            flags[name] = (*flags[name], argument)
    return Command(models[0], flags)
