"""The policy that values files give: keys `gates` of vllm-inference and `global.llm.slo`, later files win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.findings import InputError
from llmops.gates.evidence import GATES, HARD, Policy

SLO = {"e2eP95Seconds": 5.0, "ttftP95Seconds": 2.0, "itlP95Seconds": 0.1, "errorRatio": 0.01}


def policy(paths: Sequence[Path]) -> Policy:
    """One gate step. Values of the umbrella chart (under `vllm-inference`) or of the chart itself. InputError."""
    gates: dict[str, Any] = {}
    slo: dict[str, float] = dict(SLO)
    for path in paths:
        values = _read(path)
        for place in (values, _under(values, "vllm-inference")):
            gates.update(_under(place, "gates"))
            slo.update(_under(_under(_under(place, "global"), "llm"), "slo"))
    signals = gates.get("signals", list(GATES))
    if not isinstance(signals, list) or not set(signals) <= set(GATES) or not set(signals) - set(HARD):
        raise InputError(f"gates.signals is {signals!r}; write a list of some of {', '.join(GATES)}")
    base = Policy()
    return Policy(
        gates=tuple(signals),
        looks=(int(_number(gates, "looks", base.looks[0], 1)),),
        alpha=_number(gates, "alpha", base.alpha, 0.0001, 0.4),
        min_requests=int(_number(gates, "minRequests", base.min_requests, 1)),
        window_seconds=_number(gates, "windowSeconds", base.window_seconds, 1),
        slo={key: _number(slo, key, 0.0, 0) for key in slo},
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


def _number(values: Mapping[str, Any], key: str, default: float, low: float, high: float = 1e9) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{key} is {value!r}; write a number from {low:g} to {high:g}")
    return float(value)


def _under(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


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
