"""Theme `promql`: does a query ask for what is there, and can its answer mean anything?

Judged are rules, scaler triggers, analysis metrics and dashboards. A metric of an exporter that no table knows is
never a finding.
"""
