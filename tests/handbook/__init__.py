"""Runs what the operator's handbook says: its shell blocks in a real shell, its queries in a real Prometheus."""
