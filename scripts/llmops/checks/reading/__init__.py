"""Readers that several rules share: they say what an object means, and judge nothing."""
