"""Errors that mean something to a caller, and how they travel between processes.

A *domain error* is any exception with a stable ``code`` and ``details``. It crosses RPC as ``{code, details}`` and becomes an
RFC 9457 problem document at the gateway. Everything else is a fault: logged where it happened, answered as
``unexpected`` without a word about the inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """A refusal with a stable ``code`` and details that are safe to show to the caller (never personal data)."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        return f"{self.code} {self.details}" if self.details else self.code


class Unavailable(DomainError):
    """Broker, database or service is away, or the deadline is over. Nothing is known to have happened: repeat
    with the same command id to learn the outcome."""

    def __init__(self, reason: str, code: str = "service_unavailable") -> None:
        super().__init__(code)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or is shutting down; consumers pause on this one."""


class BrokerUnavailable(Unavailable):
    """The message broker cannot be reached or did not confirm in time."""


class DeadlineExceeded(Unavailable):
    """The caller's deadline is over; the unit of work was rolled back."""

    def __init__(self, reason: str = "deadline over") -> None:
        super().__init__(reason, code="deadline_exceeded")


class Busy(Unavailable):
    """More callers wait than this process admits; better refused now than late."""

    def __init__(self, reason: str = "too many waiting") -> None:
        super().__init__(reason, code="busy")


class Blocked(Busy):
    """Somebody keeps a lock longer than the caller wants to wait: nobody's failure, and gone when the lock is."""

    def __init__(self, reason: str = "blocked by a lock") -> None:
        super().__init__(reason)


class PermanentFailure(Exception):
    """Raised by an event handler for an event that no retry can help: it becomes a dead letter at once."""


def code_of(exception: BaseException) -> str | None:
    """Return the code of a domain error, ``None`` for a fault."""
    code = getattr(exception, "code", None)
    # SQLAlchemy's exceptions have a ``code`` too: the name of a page in its documentation.
    return code if isinstance(code, str) and isinstance(getattr(exception, "details", None), Mapping) else None


def as_error(exception: BaseException) -> dict[str, Any]:
    """Return ``{"code", "details"}`` of an exception for the wire; faults become ``unexpected``."""
    code = code_of(exception)
    if code is None:
        return {"code": "unexpected", "details": {}}
    return {"code": code, "details": dict(exception.details)}  # type: ignore[attr-defined]


def from_error(error: dict[str, Any]) -> DomainError:
    """Rebuild the exception that :func:`as_error` described."""
    rebuilt = DomainError(error["code"])
    rebuilt.details = dict(error.get("details", {}))
    return rebuilt
