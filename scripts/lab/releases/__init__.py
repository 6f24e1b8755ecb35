"""Releases on a live cluster, by the real Helm: a model's, and the canary gate that its Rollout asks."""
