"""The whole platform on the live cluster: scaling, alerts, dashboards, drift and GitOps. One test at a time."""
