"""`python -m lab.demo`: a good release and a bad one on a live cluster, under load, for people to watch."""
