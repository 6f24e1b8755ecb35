"""Takes a release that a cluster aborted back in Git, once: the program of the closed loop."""
