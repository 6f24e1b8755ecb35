"""What an upgrade does: two states of a release, every changed field judged by what it costs."""
