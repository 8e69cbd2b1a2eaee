"""Monitoring as code: what Prometheus watches, what it tells, and what Grafana shows."""
