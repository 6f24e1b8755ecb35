"""PromQL: where it stands in Kubernetes objects, what it asks for, and what its answer can look like."""
