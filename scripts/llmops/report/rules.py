"""What a reader is told about rules: one line each."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from llmops.checks import RULES, Rule
from llmops.report.contents import plural

_INDENT = "    "
_SENTENCE = re.compile(r"(?<=\.) (?=[A-Z`])")


def why(rule_id: str) -> str:
    """Why a defect matters, in one line: the first sentence of the rule's own text; empty for an unknown rule."""
    rule = RULES.get(rule_id)
    first = rule.doc.partition("\n\n")[0] if rule else ""
    return _SENTENCE.split(" ".join(first.split()), maxsplit=1)[0]


def code(rule_id: str) -> str:
    """The stable code of a rule; empty for an unknown rule and for a policy of a user."""
    rule = RULES.get(rule_id)
    return rule.code if rule else ""


def label(rule_id: str) -> str:
    """Code and id, as every form of the report names a rule."""
    return f"{code(rule_id)} {rule_id}".strip()


def themes() -> dict[str, list[Rule]]:
    """Every rule by its theme, both in the order of the alphabet."""
    found: dict[str, list[Rule]] = {}
    for rule_id in sorted(RULES):
        found.setdefault(rule_id.partition("/")[0], []).append(RULES[rule_id])
    return found


def listing(width: int | None = None) -> str:
    """All rules by theme, each with its severity and why it exists."""
    return "\n".join(_listing(width)) + "\n"


def _listing(width: int | None) -> Iterator[str]:
    for theme, rules in themes().items():
        yield f"{theme} ({plural(len(rules), 'rule')})"
        for rule in rules:
            yield f"  {label(rule.id)} ({rule.severity})"
            line = f"{_INDENT}{why(rule.id)}"
            if width is None:
                yield line
            else:
                yield from textwrap.wrap(line, width, subsequent_indent=_INDENT, break_long_words=False)
        yield ""
    yield f"{plural(len(RULES), 'rule')}; llmops explain CODE or NAME shows one with its cases"
