"""Programs that only some tests need: started when asked for, ended by `stop` or with the cluster."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from typing import Any

from lab import cache
from lab.cluster import namespaces, processes
from lab.cluster.layout import ClusterError, Layout
from lab.cluster.ondemand import alertmanager, argo_cd, keda, kube_state_metrics, prometheus_adapter
from lab.cluster.ondemand.program import Part, Program
from lab.cluster.waiting import until

# Name, which is also that of the family of tools/setup.py.
PROGRAMS: dict[str, Program] = {
    "alertmanager": alertmanager.PROGRAM,
    "prometheus-adapter": prometheus_adapter.PROGRAM,
    "kube-state-metrics": kube_state_metrics.PROGRAM,
    "argo-cd": argo_cd.PROGRAM,
    "keda": keda.PROGRAM,
}
PROCESSES = frozenset(name for program in PROGRAMS.values() for name in program.processes)
"""Names of their processes: that one of them ended does not make the cluster a broken one."""


def start(layout: Layout, name: str, **settings: Any) -> None:
    """Starts a program and returns when it answers; `settings` are its own (see its module), plain data.

    Nothing happens when it runs with these settings. With others it takes them over, or starts anew.
    ClusterError when it is unknown, not built, or does not come up.
    """
    program = _known(name)
    _check_built(name, program)
    namespaces.command(layout, [])  # says so when there is no cluster
    with _lock(layout):
        runs = _runs(layout, program)
        if runs and _remembered(layout, name) == settings:
            return
        _notes(layout, name).unlink(missing_ok=True)
        if runs and program.reload:
            program.prepare(layout, **settings)
            program.reload(layout)
        else:
            _stop(layout, program)
            try:
                for part in program.prepare(layout, **settings):
                    _start_part(layout, part)
                program.register(layout, **settings)
            except BaseException:
                _stop(layout, program)
                raise
        _notes(layout, name).write_text(json.dumps(settings))


def stop(layout: Layout, name: str) -> None:
    """Ends a program and takes away what only works while it runs. Safe to repeat; its custom resources stay."""
    program = _known(name)
    if layout.processes.exists():
        with _lock(layout):
            _stop(layout, program)
            _notes(layout, name).unlink(missing_ok=True)


def _stop(layout: Layout, program: Program) -> None:
    known = processes.recorded(layout)
    if not any(name in known for name in program.processes):
        return
    program.withdraw(layout)
    for name in reversed(program.processes):
        processes.stop(layout, name)


def _start_part(layout: Layout, part: Part) -> None:
    started = processes.start(layout, part.name, namespaces.command(layout, part.program), part.env)
    log = layout.log / f"{part.name}.log"

    def ready() -> bool:
        if not processes.alive(started):
            raise ClusterError(f"{part.name} ended; see {log}")
        return part.answers()

    until(ready, f"the start of {part.name}", seconds=60, hint=f"see {log}")


def _runs(layout: Layout, program: Program) -> bool:
    known = processes.recorded(layout)
    return all(name in known and processes.alive(known[name]) for name in program.processes)


def _remembered(layout: Layout, name: str) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_notes(layout, name).read_text())
    return None


def _notes(layout: Layout, name: str) -> Any:
    return layout.config / f"{name}.settings.json"


def _known(name: str) -> Program:
    if name not in PROGRAMS:
        raise ClusterError(f"there is no program {name!r} to start; there are {', '.join(PROGRAMS)}")
    return PROGRAMS[name]


def _check_built(name: str, program: Program) -> None:
    missing = [need for need in program.needs if not (cache() / need).exists()]
    if missing:
        what = ", ".join(need.rpartition("/")[2] for need in missing)
        raise ClusterError(f"{what} is not built; run python tools/setup.py cluster {name}")


@contextlib.contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    """Tests run side by side in processes of their own: the first starts a program, the others find it."""
    with (layout.root / "ondemand.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
