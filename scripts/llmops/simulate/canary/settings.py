"""The policy that values files give: keys `gates` of vllm-inference and `global.llm.slo`, later files win."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.findings import InputError
from llmops.gates.evidence import GATES, HARD, Policy
from llmops.gates.limits import SLO
from llmops.render.layers import merge
from llmops.values import LLM, SERVING, Section, Values, setting


def policy(paths: Sequence[Path]) -> Policy:
    """One gate step. Values of the umbrella chart (under `vllm-inference`) or of the chart itself. InputError.

    What no file states is the charts' default; the bounds are theirs, too.
    """
    views = [Values(_read(path)) for path in paths]
    gates = Section(SERVING, "", merge([view.served.data for view in views]))
    llm = Section(LLM, "/global/llm", merge([view.llm.data for view in views]))
    signals = gates.get("gates.signals")
    signals = list(GATES) if signals is None else signals
    if not isinstance(signals, list) or not set(signals) <= set(GATES) or not set(signals) - set(HARD):
        raise InputError(f"gates.signals is {signals!r}; write a list of some of {', '.join(GATES)}")
    return Policy(
        gates=tuple(signals),
        looks=(int(_number(gates, "gates.looks")),),
        alpha=_number(gates, "gates.alpha"),
        min_requests=int(_number(gates, "gates.minRequests")),
        window_seconds=_number(gates, "gates.windowSeconds"),
        slo={key: _number(llm, f"slo.{key}") for key in dict.fromkeys(SLO.values())},
    )


def windows(text: str) -> tuple[int, ...]:
    """Of --windows: looks of each gate step; none for an empty text. InputError."""
    try:
        found = tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        found = (0,)
    if not all(1 <= one <= 2000 for one in found) or len(found) > 20:
        raise InputError(f"--windows is {text!r}; write looks of a gate step, or of several: 10 or 10,10")
    return found


def _number(section: Section, path: str) -> float:
    value, bounds = section.effective(path), setting(section.name, path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not bounds.admits(value):
        raise InputError(f"{section.key(path)} is {value!r}; write a number {bounds.range}")
    return float(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), CSafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read it: {reason}", str(path)) from None
    except yaml.YAMLError as error:
        raise InputError(f"it is no YAML: {str(error).splitlines()[0]}", str(path)) from None
    if not isinstance(values, dict | None):
        raise InputError("it is no values file; write keys and values", str(path))
    return values or {}
