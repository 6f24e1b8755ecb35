"""llmops: renders, checks and explains LLM releases on Kubernetes."""

__version__ = "0.1.0"
