"""The old name of `python -m llmops.services.results`, for charts of the version before."""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.stderr.write("llmops.jobs.exporter is now llmops.services.results: upgrade the chart drift-cronjob\n")
    runpy.run_module("llmops.services.results", run_name="__main__")
