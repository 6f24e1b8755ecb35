"""Talking to a served model: in a terminal, or on a page that this machine serves."""
