"""Mistakes of people, whole inputs as they were written, each with the outcome that a careful colleague would give."""
