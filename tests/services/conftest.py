"""Services are tested over the same Prometheus as jobs."""

from tests.jobs.conftest import drift, prometheus_url, start_prometheus

__all__ = ["drift", "prometheus_url", "start_prometheus"]
