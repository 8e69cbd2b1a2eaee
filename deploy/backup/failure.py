"""What is told to the operator instead of a stack trace."""

from __future__ import annotations


class BackupError(Exception):
    """A backup cannot be made, read or brought back; the message says why, and what to do."""
