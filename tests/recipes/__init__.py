"""The recipes of CONTRIBUTING.md, followed in a scratch clone: `make test-recipes`."""
