"""Connections to one database server: few, shared by all regencies, and waited for no longer than the caller can wait.

What goes wrong on a connection is told here in the platform's own terms; everything else about PostgreSQL's errors
stays inside.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.chassis import green_waiting, metrics, round_trips
from services.chassis.errors import Blocked, Busy, DatabaseUnavailable, DeadlineExceeded, DomainError

HOME = ""
"""The server in the service's own URL, where every regency is that was not placed elsewhere."""

LONGEST_WAIT = 5.0
"""Seconds that anybody waits for a connection; less when its deadline is nearer."""

green_waiting.install()

_UNKNOWN_ROLE = "22023"
_TIMEOUTS = ("57014", "55P03", "25P04")  # of a statement, of a lock, of a transaction
_LOCK_TIMEOUT = "55P03"
_DEADLOCK = ("40P01", "40001")
_AWAY = ("08", "57P", "53", "58", "XX001", "XX002")
"""Connection lost, shutting down, out of resources, system error, damaged: nothing that the statement could help."""

_READ_ONLY = "25006"


class ConnectionPool:
    """The connections of one service in one process to one server."""

    def __init__(self, url: str, service: str, size: int) -> None:
        self._engines = [_engine(url, service) for _ in range(size)]
        """One for each connection, so that it can be chosen which one serves whom."""
        self._free: dict[Engine, None] = dict.fromkeys(self._engines)
        """Those that nobody has, the last one that was used last."""
        self._served: dict[Engine, set[str]] = {engine: set() for engine in self._engines}
        """Whose tables each knows since it was made: a backend reads their description and plans statements the first time."""
        for engine in self._engines:
            sa.event.listen(engine, "connect", partial(self._begin_anew, engine))
        self._turns = threading.Semaphore(size)
        self._waiters = metrics.DATABASE_POOL_WAITERS.labels(service)

    @contextmanager
    def turn(self, seconds: float, scope: str) -> Iterator[Engine]:
        """Wait until one of the connections is free for the block; the engine then gives it at once.

        :param scope: whose tables are wanted: of several that are free, one that knows them serves them, else the one that
            knows fewest. So regencies spread over the connections, and each stays where it is known.
        :raises Busy: none was free in time.
        """
        with self._waiters.track_inprogress():
            admitted = self._turns.acquire(timeout=max(0.0, min(LONGEST_WAIT, seconds)))
        if not admitted:
            raise Busy("no database connection free")
        newest_first = list(reversed(self._free))
        known = (each for each in newest_first if scope in self._served[each])
        engine = next(known, None) or min(newest_first, key=lambda each: len(self._served[each]))
        del self._free[engine]
        try:
            yield engine
        finally:
            self._served[engine].add(scope)
            self._free[engine] = None
            self._turns.release()

    def _begin_anew(self, engine: Engine, *_event: object) -> None:
        self._served[engine].clear()

    def in_use(self) -> int:
        """Return how many connections are taken now."""
        return len(self._engines) - len(self._free)

    def close(self) -> None:
        """Close all connections."""
        for engine in self._engines:
            engine.dispose()


def url_on(server: str, url: str) -> str:
    """Return a database URL on another server (``host:port``), or as it is for :data:`HOME`."""
    if server == HOME:
        return url
    host, _, port = server.rpartition(":")
    return sa.make_url(url).set(host=host, port=int(port)).render_as_string(hide_password=False)


def _engine(url: str, service: str) -> Engine:
    return round_trips.engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=1,
        max_overflow=0,
        pool_timeout=LONGEST_WAIT,
        pool_recycle=900,  # a backend that has touched hundreds of schemas holds much memory
        hide_parameters=True,  # an error's text must not show what a statement was given
        connect_args={
            "connect_timeout": 3,
            # A line that is silently dead is noticed within about ten seconds, not after hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "application_name": f"mpp-{service}",
            "options": "-c timezone=UTC",
        },
    )


def meaning(error: BaseException, *, read_only: bool = False, impatient: bool = False) -> BaseException:
    """Translate a driver's error into ours; errors that are bugs or broken rules come back as they are.

    :param read_only: the transaction was not meant to write; else a server that refuses to was demoted.
    :param impatient: the transaction waits for locks for less time than for anything else.
    """
    if isinstance(error, PoolTimeout):
        return Busy("no database connection free")
    if not isinstance(error, DBAPIError):
        return error
    original = error.orig
    state = getattr(original, "sqlstate", None) or ""
    if state == _UNKNOWN_ROLE and "role" in str(original):
        return DomainError("regency_unknown")
    if impatient and state == _LOCK_TIMEOUT:
        return Blocked()
    if state in _TIMEOUTS:
        return DeadlineExceeded("statement, lock or transaction took too long")
    if state in _DEADLOCK:
        return Busy("transactions blocked each other")
    if error.connection_invalidated or state.startswith(_AWAY) or (state == _READ_ONLY and not read_only):
        return DatabaseUnavailable(type(original).__name__)
    if isinstance(original, psycopg.OperationalError):
        return DatabaseUnavailable(type(original).__name__)
    return error
