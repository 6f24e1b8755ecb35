"""Looks each second, notes what happened, and shows it: redrawn on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable

from lab.demo import screen
from lab.demo.changes import changes
from lab.demo.live import Release
from lab.demo.load import Load
from lab.demo.story import Event, Sample, Story

PIPE_SECONDS = 5


class Watch:
    def __init__(self, story: Story, release: Release, load: Load) -> None:
        self.story, self.release, self.load = story, release, load
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.drawn = 0
        self.written = -PIPE_SECONDS

    def event(self, version: str, label: str, text: str) -> None:
        self.add([Event(round(self.load.time(), 1), "start", version, label, text)])

    def add(self, events: list[Event]) -> None:
        self.story.events += events
        if not self.terminal:
            sys.stdout.writelines(f"{event.time:5.0f} s  * {event.text}\n" for event in events)
            sys.stdout.flush()

    def until(self, headline: str, done: Callable[[Sample], bool], seconds: float) -> bool:
        """Whether it was done within that time."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            begin = time.monotonic()
            sample = self.look()
            self.show(headline, sample)
            if done(sample):
                return True
            time.sleep(max(0.0, min(1 - (time.monotonic() - begin), ends - time.monotonic())))
        return False

    def rest(self, headline: str, seconds: float) -> None:
        self.until(headline, lambda _: False, seconds)

    def look(self) -> Sample:
        self.load.check()
        sample = self.release.look(self.load.time(), list(self.load.records))
        self.add(changes(self.story.samples[-1] if self.story.samples else None, sample))
        self.story.samples.append(sample)
        return sample

    def show(self, headline: str, sample: Sample) -> None:
        if self.terminal:
            columns, rows = shutil.get_terminal_size()
            text = screen.frame(
                self.story, headline, min(columns - 1, 119), "NO_COLOR" not in os.environ, rows - 1
            )
            lines = text.splitlines()[: rows - 1]
            up = f"\033[{self.drawn}F" if self.drawn else "\033[?25l"
            sys.stdout.write(up + "".join(f"{line}\033[K\n" for line in lines) + "\033[J")
            self.drawn = len(lines)
        elif sample.time - self.written >= PIPE_SECONDS:
            sys.stdout.write(screen.line(sample, self.story.unit))
            self.written = int(sample.time)
        sys.stdout.flush()

    def leave(self) -> None:
        """Gives the cursor back."""
        if self.terminal and self.drawn:
            sys.stdout.write("\033[?25h")
            sys.stdout.flush()
