"""The gate and a release of its own, as the family of canaries has them."""

from tests.e2e.canary.conftest import gate, stage

__all__ = ["gate", "stage"]
