"""Theme `security`: secrets as text, prompts in logs, and what production asks of routes and volumes."""
