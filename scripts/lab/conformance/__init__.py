"""One script of exchanges for two engines, the real one and the scripted one, and what came of each.

`python -m lab.conformance` writes the real engine's record, tests/lab/conformance/VERSION.json, by which `make test`
judges the scripted engine. A new version of the engine is a new record, and its diff is for a person to read.
"""
