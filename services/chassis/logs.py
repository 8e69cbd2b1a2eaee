"""Structured logs: one JSON object a line on standard error, with regency, correlation id and event id where known."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.settings import Settings

LONGEST_TRACE = 20
LONGEST_CHAIN = 4

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(settings: Settings) -> None:
    """Send structlog and the standard library's logging through one formatter. Call once per process."""
    if settings.log_format == "console":
        final: list[Any] = [_describe_exception, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    else:
        final = [_describe_exception, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # Nobody reads them, and looking them up (the thread is a green one) costs more than the rest of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # Libraries that log every request, every call or every reconnect attempt as news.
    for noisy in ("nameko", "amqp", "kombu", "eventlet", "alembic", "sqlalchemy", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    # It warns of odd answers with the address, which may hold a receiver's secret.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _describe_exception(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace ``exc_info`` by types, places and harmless messages.

    A database error's text quotes the row that it refuses: of it only the SQLSTATE is written.
    """
    info = entry.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info else None
    lines: list[str] = []
    while error is not None and len(lines) < LONGEST_CHAIN * (LONGEST_TRACE + 1):
        frames = traceback.extract_tb(error.__traceback__)[-LONGEST_TRACE:]
        lines.append(_named(error))
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if lines:
        entry["exception"] = "\n".join(lines)
    return entry


def _named(error: BaseException) -> str:
    if isinstance(error, (psycopg.Error, SQLAlchemyError)):
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        return f"{type(error).__name__} (SQLSTATE {state})"
    return f"{type(error).__name__}: {error}"


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that takes an event name and key-value pairs: ``log.info("relay_recovered", service=...)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
