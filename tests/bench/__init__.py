"""Measurements: what the platform bears, and how fast it is. `make bench-board` runs those of live boards."""
