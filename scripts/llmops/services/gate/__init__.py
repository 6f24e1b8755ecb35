"""The canary gate: Argo Rollouts asks it whether a step of an update may end. `python -m llmops.services.gate`.

It reads raw counters from Prometheus, hands the counts to `llmops.gates`, and keeps what it said and why. It never
guesses: without an answer of Prometheus it gives none, and the rollout stands still.
"""
