"""Which names a query may ask for, and with which labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmops.data.metrics import Labels, Removed, Series
from llmops.kubernetes.wording import closest

RECORDED = "llm-stack"
LAYER = "llm:"
"""What our own rules record begins so; the table of that name lists it."""

# What scraping adds to a series; `exported_X` is the series' own X where both have one.
TARGET = frozenset(
    {"namespace", "pod", "container", "job", "instance", "node", "service", "endpoint", "cluster", "prometheus",
     "prometheus_replica"}
)  # fmt: skip
_RELEASE = frozenset({"release", "rollouts_pod_template_hash"})


@dataclass(frozen=True)
class Missing:
    """A name that does not exist, though it begins like one of a known exporter; `why` ends the sentence."""

    why: str


@dataclass(frozen=True)
class Known:
    """The names that may be asked for. `recorded` are those that rules of the same input make; None: labels unknown.

    `prefixes` maps what the names of an exporter begin with to its name, where every name of it is in `series`.
    With `buckets` False the bounds of histograms are not the usual ones.
    """

    series: Mapping[str, Series]
    removed: Mapping[str, Removed]
    prefixes: Mapping[str, str]
    recorded: Mapping[str, Labels | None]
    buckets: bool = True

    def find(self, name: str) -> Labels | Removed | Missing | None:
        """The labels of a name, how it is gone, or None where nothing is known."""
        if name in self.recorded and ((made := self.recorded[name]) is not None or name not in self.series):
            return made
        if name in self.removed:
            return self.removed[name]
        if name in self.series:
            return self._scraped(self.series[name])
        for prefix, exporter in self.prefixes.items():
            if name.startswith(prefix):
                like = [one for one in self.series if one.startswith(prefix) and not one.endswith("_created")]
                nobody = "no rule records it" if exporter == RECORDED else f"{exporter} has no such metric"
                return Missing(f"{nobody}{closest(name, like)}")
        return self._respelt(name)

    def _respelt(self, name: str) -> Missing | None:
        """A name of an exporter with `_` where it writes `:`."""
        for prefix, exporter in self.prefixes.items():
            right = prefix + name[len(prefix) :]
            if name.startswith(prefix.replace(":", "_")) and (right in self.series or right in self.removed):
                return Missing(f"{exporter} writes {right}")
        return None

    def type_of(self, name: str) -> Series | None:
        """The row of a name that an exporter has; None where a rule of the input records it, or nobody knows it."""
        return None if name in self.recorded or name in self.removed else self.series.get(name)

    def _scraped(self, series: Series) -> Labels:
        own = dict(series.labels)
        if not self.buckets and "le" in own:
            own["le"] = None
        if series.name.startswith(LAYER):
            return own
        exported = {f"exported_{label}" for label in own}
        # A label that the scrape sets wins; its values are then the target's.
        return {**dict.fromkeys((*TARGET, *_RELEASE, *exported)), **own}
