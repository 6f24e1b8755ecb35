"""How much a target asks for, in the unit of what is measured."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.checks.rules.scaling.keda import prometheus_triggers
from llmops.findings import Finding
from llmops.kubernetes.kinds import HPA
from llmops.promql.shape import names
from llmops.references import mapping, text, walk
from llmops.release import Release

# Metrics that count requests, in flight, in a queue or by the second.
_COUNTED = re.compile(
    r"requests?_(running|waiting|in_?flight|demand|per_second|swapped)|num_requests|queue_(size|length|depth)"
)


@rule(
    "LR232", severity=WARNING, fix='Write a whole number of requests, such as "8"; "100m" is a tenth of one.'
)
def target_below_one(release: Release) -> Iterator[Finding]:
    """A target of 100m is a tenth: of requests in flight, one in ten seconds is then reason enough for another server.

    Judged are targets per server of what counts requests.
    """
    for scaler in graph(release).of_kind(HPA):
        for kind in ("pods", "object", "external"):
            for pointer, source in walk(scaler.data, f"/spec/metrics/*/{kind}"):
                target = mapping(mapping(source).get("target"))
                name = text(mapping(mapping(source).get("metric")).get("name"))
                for field in ("averageValue", "value"):
                    amount = _amount(target.get(field))
                    if amount is not None and 0 < amount < 1 and _COUNTED.search(name):
                        message = f"{name} is to be {target[field]}, which is {amount:g} of a request."
                        yield defect(scaler, f"{pointer}/target/{field}", message)
    for scaler, pointer, trigger in prometheus_triggers(graph(release)):
        settings = mapping(trigger.get("metadata"))
        amount = _amount(settings.get("threshold"))
        if (
            amount is not None
            and 0 < amount < 1
            and any(map(_COUNTED.search, names(text(settings.get("query")))))
        ):
            message = f"the threshold is {settings['threshold']}, less than one request."
            yield defect(scaler, f"{pointer}/metadata/threshold", message)


def _amount(written: object) -> float | None:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(m?)", str(written))
    return float(found[1]) / (1000 if found[2] else 1) if found else None
