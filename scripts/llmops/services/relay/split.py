"""Messages that fit: blocks into parts of what a robot takes, and waiting messages into one."""

from __future__ import annotations

from collections.abc import Sequence

from llmops.services.relay import robots
from llmops.services.relay.messages import Block, Notification
from llmops.services.relay.receivers import Receiver
from llmops.services.relay.robots import LIMITS, Text

_CUT = "…"
# Room for the number of a part in its title.
_NUMBER = 16
_BETWEEN = "\n\n"


def parts(to: Receiver, notification: Notification) -> list[Text]:
    """One message, or as many as it takes; each block is whole in one of them, cut in its text alone. In order."""
    title = _shortened(notification.title, 240)
    made = [_fitting(to, title, notification.severity, block) for block in notification.blocks]
    bodies: list[str] = []
    for body in made:
        longer = f"{bodies[-1]}{_BETWEEN}{body}" if bodies else body
        if bodies and _fits(to, Text(title, longer, notification.severity)):
            bodies[-1] = longer
        else:
            bodies.append(body)
    if len(bodies) == 1:
        return [Text(title, bodies[0], notification.severity)]
    count = len(bodies)
    return [
        Text(f"{title} ({number}/{count})", body, notification.severity)
        for number, body in enumerate(bodies, 1)
    ]


def joined(to: Receiver, texts: Sequence[Text]) -> tuple[Text, int]:
    """As many of the first `texts` as fit into one message, at least one; and how many they are."""
    together, count = texts[0], 1
    for one in texts[1:]:
        body = f"{together.body}{_BETWEEN}{one.body}"
        severity = _graver(together.severity, one.severity)
        longer = Text(f"{texts[0].title} +{count}", body, severity)
        if not _fits(to, longer):
            break
        together, count = longer, count + 1
    return together, count


def _graver(one: str, other: str) -> str:
    order = ("critical", "warning", "info", "")
    return min(one, other, key=lambda each: order.index(each) if each in order else len(order))


def _fitting(to: Receiver, title: str, severity: str, block: Block) -> str:
    """The block as Markdown. Its text is cut to what fits beside its first line and its link."""

    def made(text: str) -> str:
        return robots.markdown(to.kind, block.head, text, block.label, block.link)

    whole = made(block.text)
    if _fits(to, Text(title, whole, severity)):
        return whole
    least, most = 0, len(block.text)
    while least < most:
        middle = (least + most + 1) // 2
        if _fits(to, Text(title, made(block.text[:middle] + _CUT), severity)):
            least = middle
        else:
            most = middle - 1
    return made(block.text[:least] + _CUT)


def _fits(to: Receiver, text: Text) -> bool:
    return robots.size(to, text) + _NUMBER <= LIMITS[to.kind].size


def _shortened(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + _CUT
