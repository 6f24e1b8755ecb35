"""The old name of `python -m llmops.services.gate`, for charts of the version before."""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.stderr.write("llmops.jobs.gate is now llmops.services.gate: upgrade the chart canary-gate\n")
    runpy.run_module("llmops.services.gate", run_name="__main__")
