"""The estimate against engines that ran and starts that failed, each predicted without its own model's measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any

import yaml

from llmops.capacity import gpu_products
from llmops.capacity.architecture import Architecture, architecture
from llmops.capacity.constants import LEAN_PICTURES_SINCE, LEAN_SAMPLER_SINCE, MEASURED, Constants
from llmops.capacity.fit import Verdict, fit
from llmops.capacity.gpu_products import Gpu
from llmops.capacity.memory import (
    GIB,
    GRAPHS_COUNTED_SINCE,
    Memory,
    batch,
    expert_buffers,
    memory,
    widest_layer,
)
from llmops.capacity.settings import Settings, read
from llmops.capacity.vision import Tower
from llmops.findings import InputError

# What decides whether a row's peak is the sampler's; any value near the fitted one chooses the same rows.
_TYPICAL_LOGIT_BYTES = 14.0


@dataclass(frozen=True)
class Run:
    """One published measurement: GiB on one GPU (None where it was not published), tokens as logged."""

    model: str
    gpu: str
    engine: Mapping[str, Any]
    weights: float | None
    kv: float
    source: str
    how: str
    usable: float | None = None
    activation: float | None = None
    non_torch: float | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Row:
    """A run and its prediction; errors are shares of the measured value, positive where too much was promised.

    `alone` says that no other run tells what its kind of GPU keeps beside PyTorch: the constant is of this run.
    `other_kinds_error` is that of a prediction from runs on other kinds of GPUs alone.
    """

    run: Run
    predicted: Memory
    tokens: int
    alone: bool = False
    other_kinds_error: float = 0.0

    @property
    def kind(self) -> str:
        """Kind of the run's GPU (data/gpus.yaml)."""
        return gpu_products.product(self.run.gpu).kind

    @property
    def weights_error(self) -> float | None:
        """Share of the measured weights, None where they were not published."""
        return self.predicted.weights / self.run.weights - 1 if self.run.weights else None

    @property
    def kv_error(self) -> float:
        """Share of the measured pool."""
        return self.predicted.kv_pool / self.run.kv - 1

    @property
    def tokens_error(self) -> float | None:
        """Share of the logged tokens, None where they were not published."""
        return self.tokens / self.run.tokens - 1 if self.run.tokens else None


@dataclass(frozen=True)
class Failure:
    """A start that failed as it was published, and what the estimate says of it."""

    model: str
    gpu: str
    why: str
    source: str
    verdict: Verdict


@dataclass(frozen=True)
class Score:
    """Rows and failures with what a reader asks first; errors are means of absolute shares."""

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    constants: Constants

    @property
    def kv_error(self) -> float:
        """Mean absolute error of the KV pool, of runs that no constant was taken from."""
        return fmean(abs(row.kv_error) for row in self.rows if not row.alone or len(self.rows) == 1)

    @property
    def other_kinds_error(self) -> float:
        """Mean absolute error of the KV pool where constants come from other kinds of GPUs."""
        return fmean(abs(row.other_kinds_error) for row in self.rows)

    @property
    def weights_error(self) -> float:
        """Mean absolute error of the weights, where they were published."""
        return fmean(abs(error) for row in self.rows if (error := row.weights_error) is not None)

    @property
    def tokens_error(self) -> float:
        """Mean absolute error of the tokens, where they were logged."""
        return fmean(abs(error) for row in self.rows if (error := row.tokens_error) is not None)

    @property
    def worst(self) -> Row:
        """The row that was promised the most KV cache beyond what it had: the margin has to cover it."""
        return max(self.rows, key=lambda row: row.kv_error)

    @property
    def false_fits(self) -> tuple[Failure, ...]:
        """Failed starts that the estimate would have let through."""
        return tuple(failure for failure in self.failures if failure.verdict is Verdict.FITS)

    @property
    def covered(self) -> bool:
        """Whether the margin of the check is larger than the worst error, for each kind of GPU."""
        return all(row.kv_error < row.predicted.margin for row in self.rows)

    @property
    def kinds(self) -> Mapping[str, Score]:
        """The same for each kind of GPU that there are runs of."""
        found = dict.fromkeys(row.kind for row in self.rows)
        return {
            kind: replace(self, rows=tuple(row for row in self.rows if row.kind == kind)) for kind in found
        }


def score() -> Score:
    """Every run predicted from constants that were fitted without any run of its model."""
    data = _data()
    runs = [_run(row, data) for row in data["runs"]]
    kinds = {_gpu(run).kind for run in runs}
    foreign = {kind: _others_kinds(kind, runs) for kind in kinds}
    rows = [
        _row(
            run,
            others := [other for other in runs if other.model != run.model],
            fitted(others),
            foreign[_gpu(run).kind],
        )
        for run in runs
    ]
    failures = tuple(
        Failure(row["model"], row["gpu"], row["why"], data["sources"][row["source"]], _verdict(row, data))
        for row in data["failures"]
    )
    return Score(tuple(rows), failures, fitted(runs))


def fitted(runs: Sequence[Run]) -> Constants:
    """Constants from these runs alone: least squares of the activation on logits and hidden states, and means."""
    samples = [(run, *_read(run)) for run in runs if run.activation is not None]
    points: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    for run, arch, settings in samples:
        gpu = _gpu(run)
        tokens, sequences = batch(settings, gpu)
        peak = (run.activation or 0.0) * GIB - expert_buffers(arch, settings, tokens)
        logits, hidden = float(sequences * arch.vocabulary), 2.0 * tokens * arch.hidden
        if widest_layer(arch, settings, tokens) > _TYPICAL_LOGIT_BYTES * logits:
            # The layers' buffers make the peak, so the row says nothing about the sampler.
            continue
        points[_lean(settings)].append((logits, hidden, peak))
    new, old = points[True], points[False]
    each, copies = _least_squares(new)
    before = fmean((peak - copies * hidden) / logits for logits, hidden, peak in old) if old else 0.0
    lean = [
        (run.non_torch, settings.tensor) for run, _, settings in samples if _lean(settings) and run.non_torch
    ]
    alone = [gib for gib, tensor in lean if tensor == 1]
    group = [gib for gib, tensor in lean if tensor > 1]
    constants = replace(
        MEASURED,
        logit_bytes=each,
        logit_bytes_before=before or MEASURED.logit_bytes_before,
        hidden_copies=copies,
        non_torch_single=fmean(alone),
        non_torch_group=fmean(group),
    )
    return replace(constants, **{name: fmean(found) for name, found in _beside(runs, constants).items()})


# What engines keep beside PyTorch on kinds of GPUs with few runs, by the constant: what the pool leaves of the memory.
_FEW = {
    ("blackwell-desktop", False): "non_torch_blackwell_desktop",
    ("unified", False): "non_torch_unified",
    ("blackwell-desktop", True): "non_torch_group_pcie",
    ("consumer", True): "non_torch_group_pcie",
    ("pcie", True): "non_torch_group_pcie",
}


def _constant(run: Run) -> str:
    """The constant that tells what this run keeps beside PyTorch; '' where it is one of those with many runs."""
    arch, settings = _read(run)
    if arch.tower.largest and settings.version < LEAN_PICTURES_SINCE:
        # It tells of pictures, and not what is kept beside PyTorch.
        return "picture_copies"
    return _FEW.get((_gpu(run).kind, settings.tensor > 1), "")


def _beside(runs: Sequence[Run], constants: Constants) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {}
    for run in runs:
        name = _constant(run)
        if not name.startswith("non_torch"):
            continue
        arch, settings = _read(run)
        used = memory(arch, settings, _gpu(run), constants)
        left = settings.utilization * _gpu(run).usable_gib - run.kv - used.weights - used.activation
        counted = used.graphs if settings.version >= GRAPHS_COUNTED_SINCE else 0.0
        found.setdefault(name, []).append(left - counted)
    return found


def _gpu(run: Run) -> Gpu:
    """The product, with the memory that the run's own log shows."""
    known = gpu_products.product(run.gpu)
    return replace(known, usable_gib=run.usable) if run.usable else known


def _lean(settings: Settings) -> bool:
    return settings.version >= LEAN_SAMPLER_SINCE


def _least_squares(points: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """a and b of y = a u + b v with the least relative errors, for points (u, v, y)."""
    uu = sum(u * u / y**2 for u, _, y in points)
    vv = sum(v * v / y**2 for _, v, y in points)
    uv = sum(u * v / y**2 for u, v, y in points)
    uy, vy = sum(u / y for u, _, y in points), sum(v / y for _, v, y in points)
    determinant = uu * vv - uv * uv
    return (uy * vv - vy * uv) / determinant, (vy * uu - uy * uv) / determinant


def _others_kinds(kind: str, runs: Sequence[Run]) -> Constants:
    """Constants of the runs on other kinds of GPUs: what these keep beside PyTorch is taken for the kind in question.

    Those of the sampler need runs whose activation was published, which are of one kind.
    """
    others = [run for run in runs if _gpu(run).kind != kind]
    found = fitted(others) if any(run.activation is not None for run in others) else MEASURED
    own = {name for (of, _), name in _FEW.items() if of == kind}
    known = {_constant(run) for run in others}
    missing = {
        name: found.non_torch_group if "group" in name else found.non_torch_single for name in own - known
    }
    return replace(found, **missing)


def _row(run: Run, others: Sequence[Run], constants: Constants, foreign: Constants) -> Row:
    arch, settings = _read(run)
    used = memory(arch, settings, _gpu(run), constants)
    length = settings.max_model_len or arch.max_positions
    name = _constant(run)
    alone = bool(name) and name not in {_constant(other) for other in others}
    elsewhere = memory(arch, settings, _gpu(run), foreign).kv_pool / run.kv - 1
    return Row(run, used, used.cache.tokens(used.kv_pool * GIB, length), alone, elsewhere)


def _read(run: Run) -> tuple[Architecture, Settings]:
    config = _data()["models"][run.model]
    settings = read(config, run.engine, "", "")
    if settings.uncovered:
        raise InputError(
            f"data/measured.yaml: {run.model} asks for {settings.uncovered}, which is not covered"
        )
    arch = architecture(config)
    return (replace(arch, tower=Tower()) if settings.text_only else arch), settings


def _run(row: Mapping[str, Any], data: Mapping[str, Any]) -> Run:
    return Run(
        model=row["model"],
        gpu=row["gpu"],
        engine=row["engine"],
        weights=row.get("weights"),
        kv=row["kv"],
        source=data["sources"][row["source"]],
        how=row["how"],
        activation=row.get("activation"),
        non_torch=row.get("nonTorch"),
        tokens=row.get("tokens"),
        usable=row.get("usableGiB"),
    )


def _verdict(row: Mapping[str, Any], data: Mapping[str, Any]) -> Verdict:
    return fit(
        data["models"][row["model"]], row["engine"], gpu_products.product(row["gpu"]), prefix=""
    ).verdict


@cache
def _data() -> Mapping[str, Any]:
    text = files("llmops.data").joinpath("measured.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded
