"""The relay is tested over the chart's own configuration."""

from tests.charts.conftest import render

__all__ = ["render"]
