"""The forms that texts have in Kubernetes: names, keys, paths, addresses."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from llmops.kubernetes.semantics.shapes import Form

_KEPT = 4096
Wrong = tuple[str, str] | None

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"


def form(pattern: str, longest: int, said: str, fix: str) -> Form:
    """A form by pattern and length."""
    matches = re.compile(pattern, re.ASCII).fullmatch

    # The same names stand in many objects.
    @lru_cache(maxsize=_KEPT)
    def check(value: str) -> Wrong:
        if len(value) > longest:
            return f"has {len(value)} characters of at most {longest}", f"Write at most {longest} characters."
        return None if matches(value) else (said, fix)

    return check


_LOWER = "lower-case letters, digits and '-', with a letter or digit at both ends"
dns_label = form(_LABEL, 63, "is no DNS label", f"Write {_LOWER}.")
dns_subdomain = form(
    rf"{_LABEL}(\.{_LABEL})*", 253, "is no DNS name", f"Write {_LOWER}; '.' separates parts."
)
short_name = form(rf"{_LABEL}(\.{_LABEL})*", 63, "is no DNS name", f"Write {_LOWER}.")
service_name = form(
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    63,
    "is no DNS label that begins with a letter",
    f"Write {_LOWER}, a letter first.",
)
wildcard_host = form(
    rf"\*\.{_LABEL}(\.{_LABEL})*", 253, "is no wildcard DNS name", "Write '*.' and a DNS name behind it."
)
underscore_name = form(
    r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
    253,
    "is no DNS name",
    f"Write {_LOWER}.",
)
label_value = form(
    rf"({_KEY})?",
    63,
    "is no label value",
    "Write letters, digits, '-', '_' and '.', a letter or digit at both ends.",
)
environment_name = form(
    r"[\x20-\x3c\x3e-\x7e]+", 2**20, "holds '=' or no ASCII", "Write printable ASCII without '='."
)
_config_key = form(
    r"[-._a-zA-Z0-9]+", 253, "is no key of a ConfigMap or Secret", "Write letters, digits, '-', '_' and '.'."
)
c_identifier = form(r"[A-Za-z_][A-Za-z0-9_]*", 2**20, "is no C identifier", "Write letters, digits and '_'.")
header_name = form(r"[-A-Za-z0-9]+", 2**20, "is no name of an HTTP header", "Write letters, digits and '-'.")
annotation_size = 256 * 1024
_qualified = re.compile(rf"(?:({_LABEL}(?:\.{_LABEL})*)/)?({_KEY})", re.ASCII).fullmatch
_PORT_NAME = re.compile(r"[-a-z0-9]+", re.ASCII).fullmatch


def config_key(value: str) -> Wrong:
    """A key of a ConfigMap or Secret: the name of a file."""
    return (
        ("begins with '..'", "Write another name.")
        if value == "." or value.startswith("..")
        else _config_key(value)
    )


@lru_cache(maxsize=_KEPT)
def qualified(value: str) -> Wrong:
    """A label key: a name of at most 63 characters, perhaps behind a DNS name and '/'."""
    match = _qualified(value)
    if match is None:
        return "is no label key", "Write NAME or DNS-NAME/NAME: letters, digits, '-', '_' and '.' in NAME."
    if len(value.rpartition("/")[2]) > 63:
        return "has a name of more than 63 characters", "Write at most 63 characters behind the '/'."
    if len(value.partition("/")[0]) > 253 and "/" in value:
        return "has a prefix of more than 253 characters", "Write at most 253 characters before the '/'."
    return None


def annotation_key(value: str) -> Wrong:
    """As a label key, but capitals in front of the '/' are allowed."""
    return qualified(value.lower())


def prefixed(value: str) -> Wrong:
    """A label key with its prefix."""
    if wrong := qualified(value):
        return wrong
    return None if "/" in value else ("has no domain", "Write it as DOMAIN/NAME.")


def port_name(value: str) -> Wrong:
    """An IANA service name."""
    fix = "Write at most 15 lower-case letters, digits and single '-', at least one of them a letter."
    if len(value) > 15:
        return f"has {len(value)} characters of at most 15", fix
    if not _PORT_NAME(value):
        return "is no port name", fix
    if "--" in value or value[0] == "-" or value[-1] == "-":
        return "has '-' at an end or twice", fix
    return None if re.search("[a-z]", value) else ("has no letter", fix)


def path_segment(value: str) -> Wrong:
    """A name in a URL path."""
    if value in (".", "..") or "/" in value or "%" in value:
        return "is no name in a path", "Leave '/' and '%' out."
    return None


def absolute(value: str) -> Wrong:
    """A path that begins with a slash."""
    return None if value.startswith("/") else ("is no absolute path", "Begin it with '/'.")


def no_back_steps(value: str) -> Wrong:
    """A path without a part '..'."""
    return ("leads upwards", "Leave '..' out.") if ".." in value.split("/") else None


def descending(value: str) -> Wrong:
    """A relative path without a part '..'."""
    if value.startswith("/"):
        return "is an absolute path", "Write a relative path."
    return no_back_steps(value)


def local_path(value: str) -> Wrong:
    """A relative path that does not begin with '..'."""
    if wrong := descending(value):
        return wrong
    return ("begins with '..'", "Write another name.") if value.startswith("..") else None


def ip_address(value: str) -> Wrong:
    """An IPv4 or IPv6 address; Go's old reader takes leading zeros in IPv4."""
    return None if parsed_ip(value) else ("is no IP address", "Write an IPv4 or IPv6 address.")


def parsed_ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, or None."""
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", value, re.ASCII):
        value = ".".join(str(int(part)) for part in value.split("."))
    try:
        return None if "%" in value else ipaddress.ip_address(value)
    except ValueError:
        return None


def network(value: str) -> Wrong:
    """An address range in CIDR form."""
    return (
        None if parsed_network(value) else ("is no address range", "Write ADDRESS/BITS, such as 10.0.0.0/8.")
    )


@lru_cache(maxsize=_KEPT)
def parsed_network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The range, or None."""
    address, slash, bits = value.partition("/")
    if not slash or not re.fullmatch(r"\d{1,3}", bits, re.ASCII) or (parsed := parsed_ip(address)) is None:
        return None
    return (
        None
        if int(bits) > parsed.max_prefixlen
        else ipaddress.ip_network(f"{parsed}/{int(bits)}", strict=False)
    )
