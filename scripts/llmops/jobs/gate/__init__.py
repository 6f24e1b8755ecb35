"""The old name of `llmops.services.gate`, for charts of the version before."""
