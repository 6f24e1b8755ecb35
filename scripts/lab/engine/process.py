"""The python_* and process_* metrics, from /proc and the interpreter."""

from __future__ import annotations

import gc
import os
import platform
import resource
import time
from pathlib import Path

from .exposition import Registry

STARTED = time.time()


def update(registry: Registry) -> None:
    """Brings the metrics of this process up to date, as a scrape does."""
    for generation, stats in enumerate(gc.get_stats()):
        for name, key in (("objects_collected", "collected"), ("objects_uncollectable", "uncollectable")):
            registry.set(f"python_gc_{name}_total", stats[key], generation=str(generation))
        registry.set("python_gc_collections_total", stats["collections"], generation=str(generation))
    major, minor, patch = platform.python_version_tuple()
    registry.set(
        "python_info",
        1,
        implementation=platform.python_implementation(),
        major=major,
        minor=minor,
        patchlevel=patch,
        version=platform.python_version(),
    )
    pages = Path("/proc/self/statm").read_text().split()
    registry.set("process_virtual_memory_bytes", int(pages[0]) * resource.getpagesize())
    registry.set("process_resident_memory_bytes", int(pages[1]) * resource.getpagesize())
    registry.set("process_start_time_seconds", STARTED)
    registry.set("process_cpu_seconds_total", time.process_time())
    registry.set("process_open_fds", len(os.listdir("/proc/self/fd")))  # noqa: PTH208 names only
    registry.set("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
