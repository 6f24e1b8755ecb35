"""Cards of model versions in Git: what may be deployed where, and the commits that promote, roll back and explain."""
