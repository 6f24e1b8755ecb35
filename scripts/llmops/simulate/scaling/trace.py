"""Traffic: a file of requests, or of rates, as arrivals in steps of equal length."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from llmops.findings import InputError
from llmops.simulate.scaling.hpa import Numbers

_MOST_STEPS = 2_000_000
# Names of columns, by what they mean: those of published traces, and ours.
_TIME = ("TIMESTAMP", "timestamp_ms", "timestamp", "start_s", "time_s", "time")
_PROMPT = ("ContextTokens", "input_length", "prompt_tokens")
_GENERATED = ("GeneratedTokens", "output_length", "generated_tokens")
_RATE = ("requests_per_s", "requests_per_second")
_VARIATION = ("rate_weighted_gap_cv", "gap_cv")
_MILLISECONDS = ("timestamp_ms",)


@dataclass(frozen=True)
class Arrivals:
    """By step of `seconds`: how many requests, and the tokens of their prompts and answers."""

    seconds: float
    requests: Numbers
    prompts: Numbers
    answers: Numbers

    @property
    def hours(self) -> float:
        return len(self.requests) * self.seconds / 3600

    def scaled(self, factor: float) -> Arrivals:
        """The same shape with more or fewer requests."""
        return Arrivals(self.seconds, self.requests * factor, self.prompts * factor, self.answers * factor)

    def superposed(self, copies: int, chance: np.random.Generator) -> Arrivals:
        """`copies` of it over one another, each shifted by chance and wrapped around: more users, not faster ones."""
        shifts = [0, *chance.integers(len(self.requests), size=copies - 1)]

        def over(row: Numbers) -> Numbers:
            return np.asarray(np.sum([np.roll(row, shift) for shift in shifts], axis=0))

        return Arrivals(self.seconds, over(self.requests), over(self.prompts), over(self.answers))


def read(path: Path, seconds: float, tokens: tuple[float, float], chance: np.random.Generator) -> Arrivals:
    """A CSV file with a column of times and two of tokens, or with one of rates; InputError says what it lacks.

    `tokens` of prompt and answer are those of each request where the file has rates alone; their arrivals are drawn
    from `chance`, with the coefficient of variation of the file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV text"
        raise InputError(f"cannot read it: {reason}", str(path)) from None
    if not rows:
        raise InputError("it has no row; write a header and a line for each request", str(path))
    columns = [name for name in rows[0] if name]
    time = _column(columns, _TIME, path)
    times = _numbers(rows, time, path)
    times = (times - times[0]) / (1000 if time in _MILLISECONDS else 1)
    rate = next((name for name in _RATE if name in columns), None)
    if rate is not None:
        variation = next((name for name in _VARIATION if name in columns), None)
        spread = _numbers(rows, variation, path) if variation else np.ones(len(rows))
        return _drawn(times, _numbers(rows, rate, path), spread, seconds, tokens, chance, path)
    prompts = _numbers(rows, _column(columns, _PROMPT, path), path)
    answers = _numbers(rows, _column(columns, _GENERATED, path), path)
    steps = _steps(float(times.max()) + seconds, seconds, path)
    index = np.clip(times / seconds, 0, steps - 1).astype(int)
    counted = (np.bincount(index, row, steps).astype(float) for row in (np.ones(len(rows)), prompts, answers))
    return Arrivals(seconds, *counted)


def counted(rates: Sequence[Numbers], every: float, seconds: float) -> Arrivals:
    """Rates a second, `every` so many seconds, of requests, prompt and answer tokens, as arrivals in steps."""
    steps = int(len(rates[0]) * every / seconds)
    index = np.minimum((np.arange(steps) * seconds / every).astype(int), len(rates[0]) - 1)
    return Arrivals(seconds, *(row[index] * seconds for row in rates))


def _drawn(
    times: Numbers,
    rates: Numbers,
    spread: Numbers,
    seconds: float,
    tokens: tuple[float, float],
    chance: np.random.Generator,
    path: Path,
) -> Arrivals:
    if len(times) < 2:
        raise InputError(
            "it has one rate; write two at least, whose times tell how long each holds", str(path)
        )
    width = float(np.median(np.diff(times)))
    steps = _steps(float(times[-1]) + width, seconds, path)
    bins = np.clip((np.arange(steps) * seconds / width).astype(int), 0, len(rates) - 1)
    mean = np.maximum(rates[bins] * seconds, 0)
    # A renewal process with gaps of this variation has, over many gaps, counts with the variance mean x cv^2.
    variance = np.maximum(mean * spread[bins] ** 2, 1e-12)
    shape = np.maximum(mean**2 / variance, 1e-9)
    drawn = np.where(mean > 0, chance.gamma(shape, variance / np.maximum(mean, 1e-12)), 0.0)
    return Arrivals(seconds, drawn, drawn * tokens[0], drawn * tokens[1])


def _steps(length: float, seconds: float, path: Path) -> int:
    steps = int(length / seconds) + 1
    if steps > _MOST_STEPS:
        raise InputError(f"it has {steps:,} steps of {seconds:g} s; write a larger --step", str(path))
    return steps


def _column(columns: Sequence[str], names: Sequence[str], path: Path) -> str:
    found = next((name for name in names if name in columns), None)
    if found is None:
        raise InputError(f"it has no column {' or '.join(names)}; it has {', '.join(columns)}", str(path))
    return found


def _numbers(rows: Sequence[dict[str, str]], column: str, path: Path) -> Numbers:
    """A column as numbers; times may be dates."""
    texts = [row[column] for row in rows]
    try:
        found = np.array([float(one) for one in texts])
    except (TypeError, ValueError):
        try:
            # Python reads six digits of a fraction, published traces have seven.
            found = np.array([datetime.fromisoformat(one[:26]).timestamp() for one in texts])
        except (TypeError, ValueError):
            line = next(i for i, one in enumerate(texts, 2) if not _is_number(one))
            raise InputError(f"line {line}: {column} is no number", str(path)) from None
    if not np.isfinite(found).all():
        raise InputError(f"{column} holds a value that is no finite number", str(path))
    return found


def _is_number(value: str | None) -> bool:
    try:
        float(value or "")
    except ValueError:
        return False
    return True
