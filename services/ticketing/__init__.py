"""Ticketing: visits, tickets, queues and calls."""
