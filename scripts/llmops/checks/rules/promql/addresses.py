"""Where queries are sent: the address that a scaler or an analysis gives for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.promql.targets import ANALYSES, SCALERS
from llmops.references import mapping, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_PLACES = (
    (SCALERS, "/spec/triggers/*", "/metadata/serverAddress"),
    (ANALYSES, "/spec/metrics/*", "/provider/prometheus/address"),
)
_API = re.compile(r"/(api(/v1(/.*)?)?|graph|query|metrics)/?$")


@rule(
    "LQ126",
    severity=ERROR,
    fix="Write scheme, host and port alone, such as http://prometheus.monitoring:9090.",
)
def server_address_wrong(release: Release) -> Iterator[Finding]:
    """KEDA and the Rollouts controller add /api/v1/query themselves: an address that has it answers 404 for ever.

    One without http:// or https:// is no address to them at all.
    """
    objects = graph(release)
    for kinds, pattern, field in _PLACES:
        for obj in objects.of_kind(*kinds):
            for pointer, node in walk(obj.data, pattern):
                keda = mapping(node).get("type")
                address = text(obj.get(pointer + field))
                if address and "{{" not in address and keda in (None, "prometheus"):
                    yield from _wrong(obj, pointer + field, address)


def _wrong(obj: Object, pointer: str, address: str) -> Iterator[Finding]:
    scheme, path = re.match(r"https?://[^/?#]", address), urlsplit(address).path if "[" not in address else ""
    found = _API.search(path)
    if not scheme:
        yield defect(obj, pointer, f"{address} does not begin with http:// or https:// and a host.")
    elif found:
        fix = f"Write {address[: address.rindex(found[0])]}; the path of the API is added to it."
        yield defect(obj, pointer, f"{address} ends in a path of Prometheus' own ({found[0]}).", fix=fix)
    elif "?" in address:
        yield defect(obj, pointer, f"{address} has a query of its own, to which another is added.")
