"""python -m lab.demo: a good release is promoted, a bad one stopped, under load; out/demo/timeline.{html,json}.

Exit status 0 when it went so and no request was lost, else 1, and 130 after Ctrl-C. The cluster stays up.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from lab import cache
from lab.cluster import Cluster, ClusterError
from lab.demo.live import MODEL, NAMESPACE, Release
from lab.demo.load import Load
from lab.demo.page import page
from lab.demo.scenario import BAD, FIRST, GOOD, LIMIT, install, tell, verdict
from lab.demo.screen import summary
from lab.demo.story import Story
from lab.demo.watch import Watch
from lab.images.engine import engine_image
from lab.releases.gate import install_gate
from lab.releases.helm import HelmError

OUT = Path("out/demo")
HOST = f"{MODEL}.dev.llm.example.com"
GPUS = 16


def say(text: str) -> None:
    sys.stderr.write(f"demo: {text}\n")


def write(story: Story, said: str, sentences: list[str], good: bool) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "timeline.json").write_text(json.dumps(story.plain(), indent=1) + "\n", encoding="utf-8")
    (OUT / "timeline.html").write_text(page(story, said, sentences, good), encoding="utf-8")


def hints(cluster: Cluster) -> str:
    python = os.path.relpath(sys.executable) if Path(sys.executable).is_relative_to(Path.cwd()) else "python"
    llmops = Path(python).with_name("llmops")
    run = f"{python} -m lab.cluster run"
    query = f"{cache() / 'bin/promtool'} query instant {cluster.prometheus_url} {shlex.quote('llm:engine_up:sum')}"
    return (
        f"The release stays for a look around. Its addresses answer inside the cluster's network only:\n"
        f"  {run} kubectl -n {NAMESPACE} get rollouts,analysisruns,pods\n"
        f"  {run} {llmops} rollout status {MODEL} -n {NAMESPACE}\n"
        f"  {run} {query}\n"
        f"  make down      # and away with it\n"
    )


def run(cluster: Cluster, folder: Path) -> int:
    say("installing the canary gate")
    release, story = Release(cluster, folder, install_gate(cluster, folder)), Story(MODEL, GPUS)
    load = Load(cluster, folder, MODEL, HOST, seconds=3 * LIMIT)
    watch = Watch(story, release, load)
    try:
        say(f"installing {MODEL} {FIRST} with a scripted engine in the place of vLLM")
        install(release)
        load.start()
        problem = tell(watch)
        account = load.stop()
    except KeyboardInterrupt:
        # A second one would leave half of it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say(f"removing the load and namespace {NAMESPACE}")
        load.kill()
        release.end()
        raise
    finally:
        load.kill()
        watch.leave()
    problem = verdict(problem, story, account)
    said = (
        problem or "The good version was promoted, the slow one stopped by its gate, and no request was lost."
    )
    sentences = summary(story, GOOD, BAD, account["sent"], account["lost"])
    write(story, said, sentences, good=not problem)
    sys.stdout.write("\n".join(["", *sentences, said, f"{OUT}/timeline.html shows it again.", ""]))
    sys.stdout.write(hints(cluster))
    return 1 if problem else 0


def main() -> int:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    begin = time.monotonic()
    cluster = Cluster()
    try:
        cluster.up()
        cluster.import_image(engine_image())
        with tempfile.TemporaryDirectory() as folder:
            status = run(cluster, Path(folder))
    except (ClusterError, HelmError) as error:
        say(f"{error}\ndemo: the cluster stays up, `make down` ends it")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the cluster stays up, `make down` ends it")
        return 130
    say(f"done in {time.monotonic() - begin:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
