"""python -m lab.cluster up|down|status|env|run: a Kubernetes for the live tests.

`python -m lab preflight` says which Kubernetes that is. `status`, `env` and `run` are about the local cluster, whose
addresses answer only inside its own network.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from lab.cluster import lifecycle
from lab.cluster.cluster import Cluster
from lab.cluster.layout import ClusterError, default_layout
from lab.cluster.outside import choose


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m lab.cluster", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    starting = commands.add_parser(
        "up", help="start it, or say that it runs; $LLMOPS_KUBECONFIG names another cluster"
    )
    starting.add_argument("--gpus", type=int, default=16, help="GPUs that the node pretends to have")
    starting.add_argument("--gpu-product", default="NVIDIA-L4", help="label nvidia.com/gpu.product")
    commands.add_parser("down", help="stop it and remove all that it left")
    commands.add_parser("status", help="say what runs")
    commands.add_parser("env", help='print shell lines: eval "$(python -m lab.cluster env)"')
    running = commands.add_parser("run", help="run a command inside its network: run kubectl get pods -A")
    running.add_argument("program", nargs=argparse.REMAINDER)
    return made


def main(arguments: list[str]) -> int:
    chosen = parser().parse_args(arguments)
    layout = default_layout()
    if chosen.command == "up":
        cluster = choose()
        if isinstance(cluster, Cluster):
            cluster.up(lifecycle.Options(chosen.gpus, chosen.gpu_product))
        else:
            cluster.up()
        sys.stdout.write(cluster.describe())
    elif chosen.command == "down":
        choose().down()
    elif chosen.command == "status":
        states = lifecycle.status(layout)
        sys.stdout.writelines(f"{name:24} {state}\n" for name, state in states.items())
        whole = layout.ready.exists() and set(lifecycle.essential(layout).values()) == {"running"}
        sys.stdout.write("the local cluster is running\n" if whole else "the local cluster is not running\n")
        return 0 if whole else 1
    elif chosen.command == "env":
        sys.stdout.write(Cluster(layout).shell())
    else:
        program = chosen.program[chosen.program[:1] == ["--"] :] or ["sh"]
        return subprocess.run(
            Cluster(layout).command(program), check=False, env=Cluster(layout).environment()
        ).returncode
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        sys.stderr.write(f"cluster: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
