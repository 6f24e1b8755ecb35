"""Fits and scores for a person and for a program: rows of a table, and plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmops.capacity.fit import Fit
from llmops.capacity.score import Run, Score

_HEAD = (
    "release", "GPUs", "weights", "KV GiB", "KV tokens", "activation", "graphs", "margin", "verdict", "suggested"
)  # fmt: skip
_GIB = "GiB are those of one GPU; margin is what one longest request leaves of the KV cache."


@dataclass(frozen=True)
class Named:
    """One release and its fit; `fit` is None where `missing` says what a verdict takes.

    `reach` is the most requests that one server can hold, `in_flight` what its autoscaler should ask for; None where
    nobody can say.
    """

    name: str
    environment: str
    fit: Fit | None
    missing: tuple[str, ...] = ()
    reach: int | None = None
    in_flight: int | None = None
    unreadable: bool = False

    @property
    def title(self) -> str:
        """Release and environment."""
        return f"{self.name} {self.environment}".strip()

    @property
    def failed(self) -> bool:
        """Whether the engine would not start."""
        return self.fit is not None and self.fit.covered and not self.fit.fits


def text(named: Sequence[Named]) -> str:
    """The table, under it a sentence for each release that is not plainly fine; ends in a line break."""
    lines = [*grid([_HEAD, *(_cells(one) for one in named)]), "", _GIB]
    for one in named:
        said = (
            (*one.fit.reasons, *one.fit.warnings)
            if one.fit
            else (f"No verdict: {', and '.join(one.missing)}.",)
        )
        if said:
            lines += ["", one.title, *(f"  {sentence}" for sentence in said)]
    return "\n".join(lines) + "\n"


def document(named: Sequence[Named]) -> dict[str, Any]:
    """The same for a program; sizes in GiB on one GPU."""
    return {"releases": [_entry(one) for one in named]}


def _entry(one: Named) -> dict[str, Any]:
    base: dict[str, Any] = {"release": one.name, "environment": one.environment}
    if one.fit is None:
        return {**base, "verdict": None, "missing": list(one.missing)}
    fit = one.fit
    entry = {key: value for key, value in asdict(fit).items() if key not in ("verdict", "notes")}
    suggested = {
        "maxModelLen": fit.largest_context,
        "maxNumSeqs": fit.sequences,
        "inFlight": one.in_flight,
        "inFlightMost": one.reach,
    }
    said = {"verdict": fit.verdict.value, "reasons": list(fit.reasons), "warnings": list(fit.warnings)}
    return {**base, **said, **entry, "suggested": suggested if fit.sized else None}


def _cells(one: Named) -> tuple[str, ...]:
    fit = one.fit
    if fit is None or not fit.sized:
        verdict = fit.verdict.value if fit else "no verdict"
        return (one.title, fit.product if fit else "-", *("-",) * 6, verdict, "-")
    verdict = fit.verdict.value + ("" if fit.gpu_measured else ", unmeasured GPU")
    return (
        one.title,
        f"{fit.tensor * fit.pipeline} x {fit.product}",
        f"{fit.weights:.2f}",
        f"{fit.kv_pool:.2f}",
        f"{fit.kv_tokens:,}",
        f"{fit.activation:.2f}",
        f"{fit.graphs:.2f}",
        f"{100 * fit.margin:.0f} %" if fit.concurrency else "-",
        verdict,
        f"length {fit.largest_context:,}, sequences {fit.sequences}"
        + ("" if one.in_flight is None else f", in flight {one.in_flight}")
        if fit.largest_context
        else "-",
    )


def score_text(score: Score) -> str:
    """Error table: a row for each run, then means, the worst row, the failures and the sources."""
    sources = list(
        dict.fromkeys([row.run.source for row in score.rows] + [one.source for one in score.failures])
    )
    head = ("model", "engine", "weights", "error", "KV GiB", "predicted", "error", "tokens", "source")
    cells = [
        (
            row.run.model,
            _asked(row.run),
            "-" if row.run.weights is None else f"{row.run.weights:.2f}",
            "-" if row.weights_error is None else _percent(row.weights_error),
            f"{row.run.kv:.2f}",
            f"{row.predicted.kv_pool:.2f}",
            _percent(row.kv_error),
            "-" if row.tokens_error is None else _percent(row.tokens_error),
            f"[{sources.index(row.run.source) + 1}] {row.run.how}{', own constant' if row.alone else ''}",
        )
        for row in score.rows
    ]
    fails = [
        (one.model, one.gpu, one.verdict.value, f"{one.why} [{sources.index(one.source) + 1}]")
        for one in score.failures
    ]
    worst = score.worst
    return "\n".join(
        [
            *grid([head, *cells]),
            "",
            f"{len(score.rows)} runs of {len({row.run.model for row in score.rows})} models, each predicted without "
            "any run of its model.",
            f"Mean absolute error: KV cache {100 * score.kv_error:.2f} %, weights {100 * score.weights_error:.2f} %, "
            f"tokens {100 * score.tokens_error:.2f} %.",
            f"Most KV cache promised beyond the measured: {worst.run.model}, {_percent(worst.kv_error)}.",
            "",
            *grid(
                [
                    ("kind of GPU", "runs", "KV cache", "from other kinds", "most promised beyond", "margin"),
                    *map(_kind, score.kinds.items()),
                ]
            ),
            "",
            f"Measured GPUs: {', '.join(sorted({row.run.gpu for row in score.rows}))}. All others are marked.",
            "",
            *grid([("failed start", "GPU", "verdict", "what happened"), *fails]),
            "",
            f"{len(score.false_fits)} of {len(score.failures)} failed starts would have been let through.",
            "",
            *(f"[{number}] {source}" for number, source in enumerate(sources, 1)),
            "",
        ]
    )


def _kind(named: tuple[str, Score]) -> tuple[str, ...]:
    kind, part = named
    worst = part.worst
    return (
        kind,
        str(len(part.rows)),
        f"{100 * part.kv_error:.2f} %",
        f"{100 * part.other_kinds_error:.2f} %",
        _percent(worst.kv_error),
        f"{100 * worst.predicted.margin:.0f} %",
    )


def score_document(score: Score) -> dict[str, Any]:
    """The same for a program; errors are shares."""
    return {
        "kvError": score.kv_error,
        "weightsError": score.weights_error,
        "tokensError": score.tokens_error,
        "worst": {"model": score.worst.run.model, "kvError": score.worst.kv_error},
        "kinds": {
            kind: {
                "runs": len(part.rows),
                "kvError": part.kv_error,
                "kvErrorFromOtherKinds": part.other_kinds_error,
                "worst": part.worst.kv_error,
                "margin": part.worst.predicted.margin,
            }
            for kind, part in score.kinds.items()
        },
        "constants": asdict(score.constants),
        "runs": [
            {
                "model": row.run.model,
                "gpu": row.run.gpu,
                "engine": _plain(row.run.engine),
                "weights": row.run.weights,
                "kv": row.run.kv,
                "predicted": {
                    "weights": row.predicted.weights,
                    "kv": row.predicted.kv_pool,
                    "tokens": row.tokens,
                },
                "source": row.run.source,
                "how": row.run.how,
            }
            for row in score.rows
        ],
        "failures": [asdict(one) for one in score.failures],
    }


def _asked(run: Run) -> str:
    engine = run.engine
    parallel = engine.get("parallelism") or {}
    parts = [f"{engine['version']}", f"{run.gpu}", f"{engine['gpuMemoryUtilization']:g}"]
    parts += [f"tensor {parallel['tensor']}"] if "tensor" in parallel else []
    names = (("quantization", ""), ("dtype", ""), ("kvCacheDtype", "KV "))
    parts += [f"{word}{engine[key]}" for key, word in names if engine.get(key)]
    return ", ".join(parts)


def _plain(engine: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in engine.items()}


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %"


def grid(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
