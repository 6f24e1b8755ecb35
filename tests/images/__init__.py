"""The image of our own programs, as images/Dockerfile says and as the tests put it together."""
