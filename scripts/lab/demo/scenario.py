"""What happens in the demo: which versions, in which order, and when it went as it should."""

from __future__ import annotations

from typing import Any

from lab.cluster.waiting import until
from lab.demo.changes import promoted, stopped
from lab.demo.live import Release
from lab.demo.load import RATE
from lab.demo.story import WATCHED, Sample, Story
from lab.demo.watch import Watch

LIMIT = 150
FIRST, GOOD, BAD = "1.0.0", "1.1.0", "1.2.0"
# Times to the first token and between tokens, in seconds; a bit of spread, as real ones have.
BEHAVIOUR: dict[str, dict[str, Any]] = {
    FIRST: {"ttft": {"median": 0.09, "sigma": 0.3}, "itl": 0.01},
    GOOD: {"ttft": {"median": 0.06, "sigma": 0.3}, "itl": 0.008},
    # It starts, is ready, and answers everything: only its first token takes twice as long.
    BAD: {"ttft": {"median": 0.12, "sigma": 0.3}, "itl": 0.008},
}


def install(release: Release) -> None:
    """The first version, serving and scraped."""
    release.begin()
    upgrade = release.deploy(FIRST, BEHAVIOUR[FIRST])
    until(upgrade.check, f"helm's install of {FIRST}", seconds=60)
    until(lambda: promoted(release.look(0, []), FIRST), f"{FIRST} serving", seconds=LIMIT, every=0.5)
    release.monitored()


def tell(watch: Watch) -> str:
    """The story; empty when it went as it should, else one sentence."""
    serves = f"{FIRST} serves, {RATE} requests a second come through the gateway"
    watch.event(FIRST, f"{FIRST} serves", serves)
    watch.rest(f"{FIRST} serves", 10)

    came = released(watch, GOOD, "a little faster", f"release of {GOOD}: a little faster")
    if came != "promoted":
        return f"{GOOD} should have been promoted, and was {came}."
    watch.rest(f"{GOOD} was promoted", 8)

    told = f"release of {BAD}: its first token takes twice as long"
    came = released(watch, BAD, "twice as slow to its first token", told)
    if came != "stopped":
        return f"{BAD} should have been stopped, and was {came}."
    if WATCHED not in watch.story.failed(BAD):
        return f"{BAD} should have been stopped by gate {WATCHED}, and was by {reason(watch.story)}."
    # Argo Rollouts keeps an aborted pod for half a minute, for a look at it.
    watch.until(f"{BAD} was stopped, {GOOD} serves", lambda now: BAD not in now.gpus, 40)
    return ""


def released(watch: Watch, version: str, what: str, told: str) -> str:
    """What came of a release: promoted, stopped, or neither within the limit."""
    upgrade = watch.release.deploy(version, BEHAVIOUR[version])
    watch.event(version, f"release {version}", told)

    def over(now: Sample) -> bool:
        return upgrade.check() and (promoted(now, version) or stopped(now, version))

    if not watch.until(f"{version}, {what}, is being released", over, LIMIT):
        return f"neither promoted nor stopped within {LIMIT} s"
    return "promoted" if promoted(watch.story.samples[-1], version) else "stopped"


def reason(story: Story) -> str:
    """What the controller says of the last stop."""
    return next((each.text for each in reversed(story.events) if each.kind == "stopped"), "nobody")


def verdict(problem: str, story: Story, account: dict[str, Any]) -> str:
    """Empty when all went as it should, else one sentence."""
    due = RATE * story.samples[-1].time
    if problem:
        return problem
    if account["lost"]:
        return f"{account['lost']} of {account['sent']} requests were lost."
    if account["sent"] < 0.9 * due:
        return (
            f"Only {account['sent']} of about {due:.0f} requests were sent: this machine is too busy to tell."
        )
    return ""
