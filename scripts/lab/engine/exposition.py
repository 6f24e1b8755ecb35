"""The page /metrics, driven by the catalogue and spelt as prometheus_client spells it (text format 0.0.4).

Own and small instead of prometheus_client: the catalogue already says everything that library would be told again, and
the image stays at three packages. A test compares both, line by line.
"""

from __future__ import annotations

import bisect
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from .catalogue import Catalogue, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Counters that prometheus_client makes at the scrape; they have no _created.
COLLECTED = ("process_", "python_")
Labels = tuple[tuple[str, str], ...]


def spell(value: float) -> str:
    """A number as Python clients write it: 1.0, 2.5, 1e+07, +Inf."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    dot = text.find(".")
    if value > 0 and dot > 6:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02}"
    return text


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    inner = ",".join(f'{label}="{escaped(text)}"' for label, text in sorted(labels))
    return f"{name}{{{inner}}} {spell(value)}\n" if inner else f"{name} {spell(value)}\n"


class Series:
    """One set of label values of one family: a total for counters and gauges, buckets for histograms."""

    __slots__ = ("bounds", "count", "counts", "created", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.count = 0
        self.total = 0.0
        self.created = time.time()

    def observe(self, value: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.count += 1
        self.total += value


class Family:
    def __init__(self, metric: Metric, bounds: Sequence[float]) -> None:
        self.metric = metric
        self.bounds = bounds
        self.series: dict[Labels, Series] = {}

    def at(self, labels: Mapping[str, str]) -> Series:
        """The series of these label values, made on first use; KeyError names a label that is missing."""
        key = tuple((label, labels[label]) for label in self.metric.labels)
        if key not in self.series:
            self.series[key] = Series(self.bounds)
        return self.series[key]

    def lines(self, override: float | None = None, created: bool = True) -> Iterator[str]:
        metric = self.metric
        yield from head(metric.name, metric.type, metric.help)
        for labels, series in self.series.items():
            if metric.type in ("counter", "gauge"):
                yield sample(metric.name, labels, series.total if override is None else override)
                continue
            if metric.type == "histogram":
                for bound, count in zip(
                    (*self.bounds, math.inf), itertools.accumulate(series.counts), strict=True
                ):
                    yield sample(f"{metric.name}_bucket", (*labels, ("le", spell(bound))), count)
            yield sample(f"{metric.name}_count", labels, series.count)
            yield sample(f"{metric.name}_sum", labels, series.total)
        if not created or metric.type == "gauge" or metric.name.startswith(COLLECTED) or not self.series:
            return
        name = (metric.name.removesuffix("_total") if metric.type == "counter" else metric.name) + "_created"
        yield from head(name, "gauge", metric.help)
        for labels, series in self.series.items():
            yield sample(name, labels, series.created)


def head(name: str, kind: str, text: str) -> Iterator[str]:
    meaning = text.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"


class Registry:
    """All families of the catalogue. `shown` decides at each scrape which of them are on the page.

    `common` holds the label values that every call gets for free, like model_name. A name is that of a signal, or of a
    metric; what an engine does not have is not counted.
    """

    def __init__(self, catalogue: Catalogue, max_model_len: int, common: Mapping[str, str]) -> None:
        self.common = dict(common)
        self.signals = catalogue.signals
        self.families = {
            metric.name: Family(
                metric, catalogue.bounds(metric.buckets, max_model_len) if metric.buckets else ()
            )
            for metric in catalogue.metrics
        }

    def series(self, name: str, **labels: str) -> Series:
        family = self.families.get(self.signals.get(name, name))
        return family.at(self.common | labels) if family else Series(())

    def inc(self, name: str, amount: float = 1, **labels: str) -> None:
        self.series(name, **labels).total += amount

    def set(self, name: str, value: float, **labels: str) -> None:
        self.series(name, **labels).total = value

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.series(name, **labels).observe(value)

    def declare(self, name: str, **labels: str) -> None:
        """Makes the series that vLLM shows from the start: those whose label values are all known."""
        metric = self.families[name].metric
        known = self.common | labels
        choices = [metric.values.get(label) or (known.get(label),) for label in metric.labels]
        for values in itertools.product(*choices):
            if None not in values:
                self.families[name].at(dict(zip(metric.labels, map(str, values), strict=True)))

    def render(
        self, shown: Callable[[Metric], bool], gauges: Mapping[str, float], created: bool = True
    ) -> str:
        """The page; `gauges` lays values over the families it names, `created` adds each counter's _created."""
        return "".join(
            line
            for name, family in self.families.items()
            if shown(family.metric)
            for line in family.lines(gauges.get(name), created)
        )
