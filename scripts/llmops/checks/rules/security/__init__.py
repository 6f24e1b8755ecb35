"""Theme `security`: secrets as text, prompts in logs, and what production asks of routes and volumes."""

from llmops.checks.rules.security import logs, production, secrets

__all__ = ["logs", "production", "secrets"]
