"""The score is honest: held out by model, within its limits, and the constants in use are the fitted ones."""

from dataclasses import replace

import pytest

from llmops.capacity import score as scoring
from llmops.capacity.constants import MEASURED
from llmops.capacity.fit import Verdict


@pytest.fixture(scope="module")
def score() -> scoring.Score:
    return scoring.score()


def test_errors_are_below_what_is_promised(score: scoring.Score) -> None:
    assert len(score.rows) >= 49
    assert len({row.run.model for row in score.rows}) >= 28
    assert score.weights_error < 0.01
    assert score.tokens_error < 0.02


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("data-centre", 0.02), ("consumer", 0.05), ("blackwell-desktop", 0.05), ("unified", 0.05)],
)
def test_errors_of_each_kind_of_gpu_are_below_what_is_promised(
    score: scoring.Score, kind: str, limit: float
) -> None:
    assert score.kinds[kind].kv_error < limit


def test_a_constant_that_one_run_alone_tells_is_no_merit_of_that_run(score: scoring.Score) -> None:
    alone = [row for row in score.rows if row.alone]
    assert [(row.run.model, row.kind) for row in alone] == [
        ("qwen3-14b", "blackwell-desktop"),
        ("qwen3-vl-30b-a3b", "consumer"),
    ]
    others = [row for row in score.kinds["blackwell-desktop"].rows if not row.alone]
    assert score.kinds["blackwell-desktop"].kv_error == pytest.approx(
        sum(abs(row.kv_error) for row in others) / len(others)
    )
    # Constants of other kinds would promise far more than there was.
    assert alone[0].other_kinds_error > alone[0].predicted.margin


def test_rows_that_were_published_as_figures_are_no_worse(score: scoring.Score) -> None:
    direct = [abs(row.kv_error) for row in score.rows if row.run.how in ("log", "table")]
    assert len(direct) >= 20
    assert sum(direct) / len(direct) < 0.03


def test_the_margin_of_the_check_covers_the_worst_row(score: scoring.Score) -> None:
    assert score.worst.kv_error == max(row.kv_error for row in score.rows)
    assert score.covered
    for kind, part in score.kinds.items():
        assert part.worst.kv_error < part.worst.predicted.margin, kind


def test_no_recorded_failure_is_let_through(score: scoring.Score) -> None:
    assert len(score.failures) == 8
    assert all(failure.verdict in (Verdict.TIGHT, Verdict.DOES_NOT_FIT) for failure in score.failures)


def test_a_pool_that_the_log_showed_to_be_empty_is_predicted_within_half_a_gib() -> None:
    # gpt-oss-120b on one H100: -2.14 GiB at 0.9, and 1.71 GiB at 0.95, of which 0.22 GiB by smaller batches.
    constants = scoring.fitted(
        [run.run for run in scoring.score().rows if not run.run.model.startswith("gpt-oss")]
    )
    run = scoring.Run(
        "gpt-oss-120b",
        "H100-80GB",
        {"gpuMemoryUtilization": 0.95, "version": "0.11.0"},
        65.97,
        1.71,
        "",
        "log",
    )
    row = scoring._row(run, [], constants, constants)
    assert row.predicted.kv_pool == pytest.approx(1.71, abs=0.5)


def test_a_row_is_predicted_without_any_run_of_its_model(score: scoring.Score) -> None:
    row = next(row for row in score.rows if row.run.model == "gemma-3-27b")
    others = [other.run for other in score.rows if other.run.model != "gemma-3-27b"]
    wrong = replace(row.run, activation=100.0)
    constants = scoring.fitted(others)
    assert scoring._row(wrong, others, constants, constants).predicted == row.predicted


def test_the_constants_in_use_are_those_that_all_runs_give(score: scoring.Score) -> None:
    names = [name for name in vars(MEASURED) if name.startswith(("logit", "hidden", "non_torch"))]
    for name in [name for name in names if name != "non_torch_group_late"]:
        assert getattr(MEASURED, name) == pytest.approx(getattr(score.constants, name), rel=0.01), name


def test_every_row_has_a_source(score: scoring.Score) -> None:
    assert all(
        row.run.source.startswith(("https://", "public repository: ", "public wiki ")) for row in score.rows
    )
    assert all(failure.source.startswith("https://") for failure in score.failures)
