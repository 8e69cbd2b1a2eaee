"""Measurements: what the platform bears, what that costs, and how fast it is. `make bench` and `make bench-board` run them."""
