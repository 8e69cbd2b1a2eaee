"""Backups of regencies over all services, and bringing them back."""
