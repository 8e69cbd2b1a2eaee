"""Reporting: facts from events, and figures from facts."""
