"""Shows the results of drift jobs to Prometheus. `python -m llmops.services.results`."""
