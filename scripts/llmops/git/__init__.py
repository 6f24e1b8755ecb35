"""Git repositories by the program git, and the forges that hold them by their HTTP APIs."""
