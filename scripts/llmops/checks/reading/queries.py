"""The queries of a release, read once for all rules, and findings about them."""

from __future__ import annotations

from llmops.checks.registry import defect
from llmops.findings import Finding
from llmops.promql.targets import Query


def found(query: Query, message: str, fix: str = "") -> Finding:
    """A finding about a query."""
    place = f"{query.place}: " if query.place else ""
    return defect(query.owner, query.pointer, f"{place}{message}", fix=fix)
