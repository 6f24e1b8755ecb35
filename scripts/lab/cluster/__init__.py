"""A real Kubernetes on one Linux machine, from Go modules and Debian packages: no engine, no registry, no GPU."""

from lab.cluster.cluster import Cluster
from lab.cluster.layout import ClusterError
from lab.cluster.lifecycle import Options

__all__ = ["Cluster", "ClusterError", "Options"]
