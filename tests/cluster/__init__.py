"""A real Kubernetes on one Linux machine, from Go modules and Debian packages: no engine, no registry, no GPU."""

from tests.cluster.cluster import Cluster
from tests.cluster.layout import ClusterError
from tests.cluster.lifecycle import Options

__all__ = ["Cluster", "ClusterError", "Options"]
