"""Programs that stay: `python -m llmops.services.<name>`. They answer HTTP on one base, `llmops.services.http`."""
