"""Distributions of latencies, from a text: lognormal:MEDIAN:SIGMA, gamma:SHAPE:SCALE (seconds) or csv:FILE."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from llmops.findings import InputError
from llmops.gates.evidence import Counts
from llmops.gates.special import normal_below

FORMS = "lognormal:MEDIAN:SIGMA, gamma:SHAPE:SCALE or csv:FILE"


@dataclass(frozen=True)
class Latency:
    """`below`: share of the latencies that are not longer than so many seconds; for whole arrays."""

    text: str
    below: Callable[[Counts], Counts]


def parse(text: str) -> Latency:
    """InputError unless it is one of FORMS, with positive numbers or a readable file."""
    form, _, rest = text.partition(":")
    if form == "csv" and rest:
        return Latency(text, _measured(_column(Path(rest))))
    parts = rest.split(":")
    try:
        first, second = (float(part) for part in parts)
    except ValueError:
        first = second = math.nan
    if form not in ("lognormal", "gamma") or not (0 < first < math.inf and 0 < second < math.inf):
        raise InputError(f"--latency {text!r} is no distribution; write {FORMS}, e.g. lognormal:0.3:0.9")
    return Latency(text, _lognormal(first, second) if form == "lognormal" else _gamma(first, second))


def standard_below(x: Counts) -> Counts:
    """The normal distribution from a table: thousands of windows, each with its own shock, ask for it."""
    return np.interp(x, *_table())


@cache
def _table() -> tuple[Counts, Counts]:
    grid = np.linspace(-8.5, 8.5, 4001)
    return grid, normal_below(grid)


def _lognormal(median: float, sigma: float) -> Callable[[Counts], Counts]:
    return lambda x: standard_below((np.log(np.maximum(x, 1e-300)) - math.log(median)) / sigma)


def _gamma(shape: float, scale: float) -> Callable[[Counts], Counts]:
    # The density of the logarithm is smooth for every shape, so its sums by the trapezoidal rule are exact enough.
    low = math.log(1e-12) / shape if shape < 1 else -40 / shape
    grid = np.linspace(min(low, -20.0), math.log(shape + 12 * math.sqrt(shape) + 40), 20001)
    density = np.exp(shape * grid - np.exp(grid) - math.lgamma(shape))
    table = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2) * (grid[1] - grid[0])])
    return lambda x: np.interp(np.log(np.maximum(x, 1e-300) / scale), grid, np.minimum(table, 1.0))


def _measured(seconds: Counts) -> Callable[[Counts], Counts]:
    return lambda x: np.searchsorted(seconds, x, side="right") / len(seconds)


def _column(path: Path) -> Counts:
    """The first column of a CSV file in seconds, sorted; a heading is skipped."""
    try:
        rows = [row[0].strip() for row in csv.reader(path.read_text(encoding="utf-8").splitlines()) if row]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read it: {reason}", str(path)) from None
    values = []
    for line, cell in enumerate(rows, start=1):
        try:
            value = float(cell)
        except ValueError:
            if line == 1:
                continue
            value = math.nan
        if not 0 <= value < math.inf:
            raise InputError(f"line {line}: {cell!r} is no latency; write seconds, one a line", str(path))
        values.append(value)
    if len(values) < 20:
        raise InputError(f"{len(values)} latencies are too few to draw from; give at least 20", str(path))
    return np.sort(np.asarray(values))
