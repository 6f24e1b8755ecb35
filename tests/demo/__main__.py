"""python -m tests.demo: a good release is promoted, a bad one stopped, under load; out/demo/timeline.{html,json}.

Exit status 0 when it went so and no request was lost, 1 when not, 2 when there is no cluster.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster import Cluster, ClusterError
from tests.cluster.waiting import until
from tests.demo import screen
from tests.demo.live import NAMESPACE, Load, Release
from tests.demo.page import page
from tests.demo.sample import Event, Story, changes
from tests.e2e.engine_image import engine_image
from tests.e2e.helm import HelmError

OUT = Path("out/demo")
GPUS = 16
LIMIT = 120


def say(text: str) -> None:
    sys.stderr.write(f"demo: {text}\n")


class Watch:
    """Looks each second and shows it: redrawn on a terminal, a line every five seconds in a pipe."""

    def __init__(self, story: Story, release: Release, load: Load) -> None:
        self.story, self.release, self.load = story, release, load
        self.terminal = sys.stdout.isatty()

    def event(self, text: str, kind: str = "start") -> None:
        self.add([Event(round(self.load.time(), 1), text, kind)])

    def add(self, events: list[Event]) -> None:
        self.story.events += events
        if not self.terminal:
            sys.stdout.writelines(f"{event.time:5.0f} s  * {event.text}\n" for event in events)
            sys.stdout.flush()

    def until(self, headline: str, done: Callable[[], bool], seconds: float) -> bool:
        """Whether it was done within that time."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            begin = time.monotonic()
            sample = self.release.look(self.load)
            self.add(changes(self.story.samples[-1] if self.story.samples else None, sample))
            self.story.samples.append(sample)
            if self.terminal:
                sys.stdout.write("\033[2J\033[H" + screen.frame(self.story, headline))
            elif len(self.story.samples) % 5 == 1:
                sys.stdout.write(screen.line(sample))
            sys.stdout.flush()
            if done():
                return True
            time.sleep(max(0.0, 1 - (time.monotonic() - begin)))
        return False

    def rest(self, headline: str, seconds: float) -> None:
        self.until(headline, lambda: False, seconds)


def tell(watch: Watch, release: Release) -> str:
    """The story; empty when it went as it should, else one sentence."""
    watch.event("1.0.0 serves")
    watch.rest("1.0.0 serves", 10)
    watch.event("release of 1.1.0, which is a little faster")
    release.deploy("1.1.0", {"itl": 0.008})
    if not watch.until("1.1.0 is being released", lambda: release.serves("1.1.0"), LIMIT):
        return f"1.1.0 was not promoted within {LIMIT} s"
    watch.event("promoted: 1.1.0 serves all", "good")
    watch.rest("1.1.0 serves", 8)
    watch.event("release of 1.2.0, which crashes while it loads")
    release.deploy("1.2.0", {"load_seconds": 2, "crash_at_start": 3})
    if not watch.until("1.2.0 is being released", lambda: release.stopped("1.2.0"), LIMIT):
        return f"1.2.0 was not stopped within {LIMIT} s"
    watch.rest("1.2.0 was stopped, 1.1.0 serves", 10)
    return ""


def run(cluster: Cluster, folder: Path) -> int:
    release, load = Release(cluster, folder), Load(cluster, folder, seconds=3 * LIMIT)
    story = Story("qwen3-8b", GPUS)
    try:
        say("installing qwen3-8b 1.0.0 with a scripted engine in the place of vLLM")
        release.begin()
        release.deploy("1.0.0", {})
        until(lambda: release.serves("1.0.0"), "1.0.0 serving", seconds=LIMIT, every=0.5)
        release.scraped()
        load.start()
        watch = Watch(story, release, load)
        problem = tell(watch, release)
        load.stop()
        story.samples.append(release.look(load))
    except BaseException:
        load.stop()
        release.end()
        raise
    last = story.samples[-1]
    if not problem and last.lost:
        problem = f"{last.lost} of {last.sent} requests were lost"
    verdict = (
        problem
        or f"The good version was promoted, the bad one stopped, none of {last.sent} requests was lost."
    )
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "timeline.json").write_text(json.dumps(story.plain(), indent=1) + "\n", encoding="utf-8")
    (OUT / "timeline.html").write_text(page(story, verdict, not problem), encoding="utf-8")
    sys.stdout.write(
        f"\n{verdict}\n{OUT}/timeline.html shows it again. The release stays for a look around:\n"
    )
    sys.stdout.write(f"  python -m tests.cluster run kubectl -n {NAMESPACE} get rollout,pods\n  make down\n")
    return 1 if problem else 0


def main() -> int:
    cluster = Cluster()
    cluster.up()
    cluster.import_image(engine_image())
    with tempfile.TemporaryDirectory() as folder:
        return run(cluster, Path(folder))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ClusterError, HelmError) as error:
        say(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted; the cluster stays up, `make down` ends it")
        sys.exit(130)
