"""Takes what users say about answers, and shows it to Prometheus by version. `python -m llmops.services.feedback`."""
