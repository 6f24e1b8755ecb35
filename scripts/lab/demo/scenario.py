"""What happens in the demo: its versions, one after the other, and when it went as it should."""

from __future__ import annotations

from functools import partial
from typing import Any

from lab.cluster.waiting import until
from lab.demo.changes import promoted, stopped
from lab.demo.live import Release
from lab.demo.story import Sample, Story
from lab.demo.versions import Plan, Version
from lab.demo.watch import Watch


def install(release: Release, plan: Plan) -> None:
    """The first version, serving and scraped."""
    first = plan.first
    release.begin()
    upgrade = release.deploy(first)
    until(upgrade.check, f"helm's install of {first.number}", seconds=60)
    until(
        lambda: promoted(release.look(0, []), first.number),
        f"{first.number} serving",
        seconds=plan.limit,
        every=0.5,
    )
    release.monitored()


def tell(watch: Watch, plan: Plan) -> str:
    """The story; empty when it went as it should, else one sentence."""
    serving = plan.first.number
    serves = f"{serving} serves, {plan.rate:g} requests a second come through the gateway"
    watch.event(serving, f"{serving} serves", serves)
    watch.rest(f"{serving} serves", 10)
    for version in plan.releases:
        came = released(watch, version, plan.limit)
        if came != version.expected:
            return f"{version.number} should have been {version.expected}, and was {came}."
        if came == "stopped" and not judged(watch.story, version):
            judges = " or ".join(version.judges)
            return f"{version.number} should have been stopped by {judges}, and was by {reason(watch.story)}."
        gone, serving = (serving, version.number) if came == "promoted" else (version.number, serving)
        headline = f"{version.number} was {came}, {serving} serves"
        if came == "promoted" and not plan.alone:
            watch.rest(headline, 8)
        else:
            # Argo Rollouts keeps an aborted pod for half a minute, for a look at it, a replaced one for its streams.
            watch.until(headline, partial(left, gone), plan.limit)
    return ""


def left(version: str, now: Sample) -> bool:
    return version not in now.gpus


def judged(story: Story, version: Version) -> bool:
    """Whether one of those that should stop a version did."""
    said = [*(f'"{gate}"' for gate in story.failed(version.number)), reason(story)]
    return any(word in each for word in version.judges for each in said)


def released(watch: Watch, version: Version, limit: float) -> str:
    """What came of a release: promoted, stopped, or neither within the limit."""
    upgrade = watch.release.deploy(version)
    number = version.number
    watch.event(number, f"release {number}", f"release of {number}: {version.what}")

    def over(now: Sample) -> bool:
        return upgrade.check() and (promoted(now, number) or stopped(now, number))

    if not watch.until(f"{number}, {version.what}, is being released", over, limit):
        return f"neither promoted nor stopped within {limit} s"
    return "promoted" if promoted(watch.story.samples[-1], number) else "stopped"


def reason(story: Story) -> str:
    """What the controller says of the last stop."""
    return next((each.text for each in reversed(story.events) if each.kind == "stopped"), "nobody")


def verdict(problem: str, story: Story, account: dict[str, Any], rate: float) -> str:
    """Empty when all went as it should, else one sentence. `rate` is requests a second."""
    due = rate * story.samples[-1].time
    if problem:
        return problem
    if account["lost"]:
        return f"{account['lost']} of {account['sent']} requests were lost."
    if account["sent"] < 0.9 * due:
        return (
            f"Only {account['sent']} of about {due:.0f} requests were sent: this machine is too busy to tell."
        )
    return ""
