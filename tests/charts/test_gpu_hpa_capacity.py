"""The chart gpu-hpa and what `llmops fit --write` puts into its values."""

from __future__ import annotations

import pytest

from llmops.findings import RefusedError
from tests.charts.conftest import Render, llm


@pytest.mark.parametrize("reach", [1, 10, 128])
def test_the_chart_takes_what_can_be_reached_and_refuses_one_more(render: Render, reach: int) -> None:
    values = llm(
        components={"autoscaling": True},
        replicas={"min": 2, "max": 4},
        gpu={"product": "H100-80GB"},
        slo={"itlP95Seconds": 0.1},
    )
    capacity = {"inFlight": reach, "gpu": "H100-80GB", "itlP95Seconds": 0.1}
    own = {"inFlightPerReplica": reach, "capacity": capacity}
    render("gpu-hpa", values, own)
    # A weaker promise is kept too.
    render("gpu-hpa", values, own, llm(slo={"itlP95Seconds": 0.2}))
    with pytest.raises(
        RefusedError, match=rf"inFlightPerReplica is {reach + 1}, but one server holds {reach} at most"
    ):
        render("gpu-hpa", values, own, {"inFlightPerReplica": reach + 1})
    with pytest.raises(RefusedError, match=r"capacity\.itlP95Seconds is 0\.1.*weaker promise.*fit --write"):
        render("gpu-hpa", values, own, llm(slo={"itlP95Seconds": 0.05}))
    with pytest.raises(
        RefusedError, match=r"capacity\.gpu is H100-80GB, but global\.llm\.gpu\.product is L4"
    ):
        render("gpu-hpa", values, own, llm(gpu={"product": "L4"}))
