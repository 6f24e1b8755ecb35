"""python -m lab.demo [scripted|real]: a good release is promoted, bad ones stopped, under load; out/demo/timeline.html.

`real` is a real vLLM without a GPU, for which a person has a quarter of an hour. Exit status 0 when it went so and no
request was lost, else 1, 2 where the engine cannot be had, and 130 after Ctrl-C. The cluster stays up.
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
from lab.demo.live import NAMESPACE, Release
from lab.demo.load import Load
from lab.demo.page import page
from lab.demo.scenario import install, tell, verdict
from lab.demo.screen import summary
from lab.demo.story import Story
from lab.demo.versions import PLANS, Plan
from lab.demo.watch import Watch
from lab.releases.gate import install_gate
from lab.releases.helm import HelmError
from lab.vllm.whole import BuildError

OUT = Path("out/demo")


def say(text: str) -> None:
    sys.stderr.write(f"demo: {text}\n")


def write(story: Story, said: str, sentences: list[str], good: bool) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "timeline.json").write_text(json.dumps(story.plain(), indent=1) + "\n", encoding="utf-8")
    (OUT / "timeline.html").write_text(page(story, said, sentences, good), encoding="utf-8")


def hints(cluster: Cluster, model: str) -> str:
    python = os.path.relpath(sys.executable) if Path(sys.executable).is_relative_to(Path.cwd()) else "python"
    llmops = Path(python).with_name("llmops")
    run = f"{python} -m lab.cluster run"
    query = f"{cache() / 'bin/promtool'} query instant {cluster.prometheus_url} {shlex.quote('llm:engine_up:sum')}"
    return (
        f"The release stays for a look around. Its addresses answer inside the cluster's network only:\n"
        f"  {run} kubectl -n {NAMESPACE} get rollouts,analysisruns,pods\n"
        f"  {run} {llmops} rollout status {model} -n {NAMESPACE}\n"
        f"  {run} {query}\n"
        f"  make down      # and away with it\n"
    )


def run(cluster: Cluster, folder: Path, plan: Plan) -> int:
    say("installing the canary gate")
    release = Release(cluster, folder, install_gate(cluster, folder), plan)
    story = Story(plan.model, plan.units, unit=plan.unit)
    load = Load(cluster, folder, plan, f"{plan.model}.dev.llm.example.com")
    watch = Watch(story, release, load)
    try:
        say(f"installing {plan.model} {plan.first.number} with {plan.engine}")
        install(release, plan)
        load.start()
        problem = tell(watch, plan)
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
    problem = verdict(problem, story, account, plan.rate)
    said = (
        problem
        or "What was good was promoted, what was bad was stopped for the right reason, and no request was lost."
    )
    sentences = summary(story, plan.expected, account["sent"], account["lost"])
    write(story, said, sentences, good=not problem)
    sys.stdout.write("\n".join(["", *sentences, said, f"{OUT}/timeline.html shows it again.", ""]))
    sys.stdout.write(hints(cluster, plan.model))
    return 1 if problem else 0


def main(arguments: list[str]) -> int:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    begin = time.monotonic()
    cluster = Cluster()
    name = arguments[0] if arguments else "scripted"
    if name not in PLANS:
        say(f"there is no engine {name}: write make demo ENGINE=real, or no ENGINE for the scripted one")
        return 2
    try:
        # What it needs is asked before anything is started.
        plan = PLANS[name]()
        images = plan.images()
        cluster.up()
        for image in images:
            cluster.import_image(image)
        with tempfile.TemporaryDirectory() as folder:
            status = run(cluster, Path(folder), plan)
    except BuildError as error:
        say(str(error))
        return 2
    except (ClusterError, HelmError) as error:
        say(f"{error}\ndemo: the cluster stays up, `make down` ends it")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the cluster stays up, `make down` ends it")
        return 130
    say(f"done in {time.monotonic() - begin:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
