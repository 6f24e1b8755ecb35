"""What somebody meant who wrote a value that a schema does not take: a nearby value that it takes.

Nothing is guessed at the schema: each candidate is asked of it, and what it does not take is never proposed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmops.kubernetes.suggestions import nearest

_LONGEST = 1000  # characters of a value that is worth a proposal
_RULES_OF_TEXT = ("pattern", "minLength", "maxLength", "enum", "format")
_HUB = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|modelscope\.cn/models)/([^/\s]+/[^/\s?#]+)"
)
_NUMBER = re.compile(r"([-+]?\d[\d_,]*(?:\.\d+)?)\s*([A-Za-z%]*)\s*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]+")
_WORD_OF_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,}")
_YES, _NO = {"yes", "y", "on", "true", "1", "enabled"}, {"no", "n", "off", "false", "0", "disabled"}
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600, "d": 86400}
_GIB = {"": 1.0, "k": 2**-20, "m": 2**-10, "g": 1.0, "t": 2**10}
_COUNTS = {"k": 1000, "m": 10**6, "g": 10**9, "b": 10**9}
_OF_TOKENS = re.compile(r"len|token|context|batch", re.IGNORECASE)

Schema = Mapping[str, Any]


def of_text(value: str, schema: Schema) -> str:
    """A text that the schema takes in the place of one that it refuses; empty where none is near."""
    if len(value) > _LONGEST:
        return ""
    return next((one for one in _texts(value) if one != value and one and takes(schema, one)), "") or (
        nearest(value, _alternatives(schema))
    )


def of_number(value: str, key: str, *, whole: bool) -> str:
    """The number that a text with a unit, a percent sign or separators means, in the unit that its key names.

    >>> of_number("24Gi", "memoryGiB", whole=False), of_number("32k", "maxModelLen", whole=True)
    ('24', '32768')
    """
    found = _NUMBER.fullmatch(value.strip()[:_LONGEST])
    factor = _factor(found[2], key) if found else None
    if found is None or factor is None:
        return ""
    number = round(float(found[1].replace(",", "").replace("_", "")) * factor, 9)
    if number.is_integer():
        return str(int(number))
    return "" if whole else f"{number:g}"


def of_boolean(value: object) -> str:
    """`true` or `false` for a word or a number that other programs take for one; empty for any other."""
    word = str(value).strip().lower()
    return "true" if word in _YES else "false" if word in _NO else ""


def of_range(value: float, key: str, least: float, most: float) -> str:
    """A number in the range that the same figure is in another unit, and what it is: `0.05 for 5 %`."""
    if most <= 1 and most < value <= 100:
        scaled, unit = value / 100, f"{value:g} %"
    elif key.endswith("Seconds") and value > most:
        scaled, unit = value / 1000, f"{value:g} ms"
    elif key.endswith("GiB") and value > most:
        scaled, unit = value / 1024, f"{value:g} MiB"
    else:
        return ""
    return f"{scaled:g} for {unit}" if least <= scaled <= most else ""


def form(schema: Schema) -> str:
    """What a pattern asks for, in words, for the forms of the field; empty for any other."""
    for said, taken, refused in _FORMS:
        if all(takes(schema, one) for one in taken) and not any(takes(schema, one) for one in refused):
            return said
    return ""


def takes(schema: Schema, value: str) -> bool:
    """Whether the schema's rules for texts take it."""
    rules = {name: schema[name] for name in _RULES_OF_TEXT if name in schema}
    try:
        return bool(_validator(json.dumps(rules, sort_keys=True, default=str)).is_valid(value))
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _validator(rules: str) -> Any:
    from jsonschema_rs import RegexOptions, validator_for

    # Patterns in linear time, as where the value was refused: those of a stranger's CRD may be hostile.
    return validator_for(json.loads(rules), pattern_options=RegexOptions())


def _texts(value: str) -> Iterator[str]:
    """Values that differ by what people usually add, forget or write otherwise; the likeliest first."""
    bare = value.strip().strip("\"'")
    yield bare
    if found := _HUB.match(bare):
        yield f"hf://{found[1]}"
    _, scheme, rest = bare.rpartition("://")
    if scheme:
        yield rest
        yield rest.rstrip("/")
        yield rest.partition("/")[0]
        yield rest.partition("/")[0].partition(":")[0]
    yield from (bare.rpartition("@")[2], bare.rstrip("/"), bare.lower())
    number = bare.lstrip("vV")
    yield from (number, f"{number}.0", f"{number}.0.0")
    if _HEX.fullmatch(bare):
        yield f"sha256:{bare}"
    local = ":" in bare.partition("/")[0] or ".svc" in bare
    schemes = ("hf", "http", "https") if local else ("hf", "https", "http")
    yield from (f"{one}://{bare}" for one in (*schemes, "file"))
    yield from _durations(bare)
    yield bare.rpartition("/")[0] + "/" * ("/" in bare) + bare.rpartition("/")[2].partition(":")[0]
    yield from (bare.rpartition("/")[2], bare.lower().rpartition("/")[2])
    slug = _NOT_IN_NAMES.sub("-", bare).strip("-.")
    yield from (slug, slug.lower(), slug.lower().replace(".", "-"))
    yield slug.lower().replace(".", "-")[:63].rstrip("-")


def _durations(text: str) -> Iterator[str]:
    """Durations as Prometheus and Go write them: a whole number and one unit."""
    if found := _DURATION.fullmatch(text):
        unit = _singular(found[2]) or "s"
        if (seconds := _SECONDS.get(unit)) is None:
            return
        total = float(found[1]) * seconds
        for name in ("s", "m", "h", "d") if unit != "d" else ("d", "h", "m", "s"):
            if total and not total % _SECONDS[name]:
                yield f"{total / _SECONDS[name]:.0f}{name}"


def _factor(unit: str, key: str) -> float | None:
    """What a number of that unit is multiplied with for a key; None where the unit is none of the key's."""
    last = key.rpartition(".")[2]
    if unit == "%":
        return 0.01
    if not unit:
        return 1
    if last.endswith(("Seconds", "Minutes")):
        seconds = _SECONDS.get(_singular(unit))
        return seconds if seconds is None or last.endswith("Seconds") else seconds / 60
    prefix = unit.lower().removesuffix("b").removesuffix("i")
    if last.endswith("GiB"):
        return _GIB.get(prefix)
    tokens = _OF_TOKENS.search(last) or unit.endswith("i")
    return {"k": 2**10, "m": 2**20}.get(prefix) if tokens else _COUNTS.get(unit.lower())


def _singular(unit: str) -> str:
    """`minutes` and `mins` are `min`, `hours` is `h`."""
    lower = unit.lower()
    short = next((one for one in ("sec", "min", "hour", "day", "milli") if lower.startswith(one)), lower)
    return {"hour": "h", "day": "d", "milli": "ms", "hrs": "h"}.get(short, short)


def _alternatives(schema: Schema) -> Sequence[str]:
    """The words that a pattern of alternatives names, as far as the schema takes them."""
    return [word for word in _WORD_OF_PATTERN.findall(str(schema.get("pattern", ""))) if takes(schema, word)]


_COMMIT, _DIGEST = "0123456789abcdef0123456789abcdef01234567", "sha256:" + "0123456789abcdef" * 4
# (in words, what such a schema takes, what it refuses)
_FORMS = (
    (
        "the whole commit, 40 hex digits: branches, tags and short commits move or are not unique",
        (_COMMIT,),
        ("main", _COMMIT[:7], _DIGEST),
    ),
    ("the digest, sha256: and 64 hex digits", (_DIGEST,), ("latest", _COMMIT)),
    (
        'a version of three numbers in quotes, such as "1.2.0"',
        ("1.2.0", "0.33.0"),
        ("latest", "1.2", "v1.2.0"),
    ),
    (
        "a duration such as 90s, a whole number and its unit",
        ("90s",),
        ("90 seconds", "soon", "http://host"),
    ),
    (
        "a URL with its scheme and no password, such as http://prometheus.monitoring:9090",
        ("http://prometheus.monitoring:9090", "https://host.example.com"),
        ("host.example.com", "hf://a/b"),
    ),
    (
        "a DNS name in lower case, such as llm.example.com, without scheme, port and path",
        ("llm.example.com",),
        ("LLM", "http://a", "a_b", "a/b"),
    ),
    (
        "lower-case letters, digits and '-', a letter or digit first and last",
        ("llm-prod",),
        ("LLM", "a_b", "-a", "a.b"),
    ),
    (
        "an image's name without its tag, such as vllm/vllm-openai",
        ("vllm/vllm-openai",),
        ("vllm/vllm-openai:v1", "https://a/b", "A B"),
    ),
    ("an address range, such as 10.0.0.0/8", ("10.0.0.0/8",), ("10.0.0.0", "here")),
    ("letters, digits, '.', '_' and '-', a letter or digit first", ("Qwen3-8B_v1.0",), ("a/b", "a b", "-a")),
    ("letters, digits, '_' and '-'", ("Qwen3-8B_v1",), ("a/b", "a b", "a.b")),
    ("an absolute path, such as /models/adapter", ("/models/adapter",), ("a b", "")),
    ("five fields of cron, such as 17 3 * * *", ("17 3 * * *",), ("daily at 3",)),
)
