"""Programs that run in the cluster: `python -m llmops.jobs.<name>`. They need no API server."""

from __future__ import annotations


class JobError(Exception):
    """Wrong usage, unreadable input or a service that does not answer; one sentence. Exit status 2."""
