"""Connections to one database server: few, shared by all regencies, and waited for no longer than the caller can wait.

What goes wrong on a connection is told here in the platform's own terms; everything else about PostgreSQL's errors
stays inside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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

PATIENCE = 0.2
"""Seconds of that for one that knows the tables in question, although another is free: that costs no processor time. Commands take
milliseconds, so more than this is a connection that waits for somebody's lock."""

FEW = 8
"""Regencies that a connection learns without anybody having waited: where there are no more than this, each soon knows all."""

green_waiting.install()

_UNKNOWN_ROLE = "22023"
_TIMEOUTS = ("57014", "55P03", "25P04")  # of a statement, of a lock, of a transaction
_LOCK_TIMEOUT = "55P03"
_DEADLOCK = ("40P01", "40001")
_AWAY = ("08", "57P", "53", "58", "XX001", "XX002")
"""Connection lost, shutting down, out of resources, system error, damaged: nothing that the statement could help."""

_READ_ONLY = "25006"


@dataclass(eq=False)
class _Waiter:
    """Somebody who waits for a connection."""

    scope: str
    choosy: bool
    """Wants one that knows its tables."""
    engine: Engine | None = None
    """The one that it was given."""
    given: threading.Event = field(default_factory=threading.Event)


class ConnectionPool:
    """The connections of one service in one process to one server.

    A backend that meets tables for the first time reads their descriptions and plans statements, which costs more than ten
    commands, and keeps that in memory. So each regency has a connection of its own as far as possible.
    """

    def __init__(self, url: str, service: str, size: int) -> None:
        self._engines = [_engine(url, service) for _ in range(size)]
        """One for each connection, so that it can be chosen which one serves whom."""
        self._free: dict[Engine, None] = dict.fromkeys(self._engines)
        """Those that nobody has, the last one that was used last."""
        self._known: dict[Engine, set[str]] = {engine: set() for engine in self._engines}
        """Whose tables each has met since it was made."""
        for engine in self._engines:
            sa.event.listen(engine, "connect", partial(self._begin_anew, engine))
        self._line: dict[_Waiter, None] = {}
        """Who waits, in the order in which they came; only the choosy do while a connection is free."""
        self._lock = threading.Lock()
        self._waiters = metrics.DATABASE_POOL_WAITERS.labels(service)

    @contextmanager
    def turn(self, seconds: float, scope: str) -> Iterator[Engine]:
        """Wait until one of the connections is free for the block; the engine then gives it at once.

        :param scope: whose tables are wanted. A connection that knows them serves them, else the one that knows fewest: at once while
            it knows few or nobody knows them, and when all that do have been taken for :data:`PATIENCE` seconds. So regencies
            spread over the connections, and each stays where it is known.
        :raises Busy: none was free in time.
        """
        with self._lock:
            engine = self._suiting(scope)
            if engine is not None:
                self._take(engine, scope)
        if engine is None:
            engine = self._wait(scope, max(0.0, min(LONGEST_WAIT, seconds)))
        try:
            yield engine
        finally:
            self._known[engine].add(scope)  # again, as it may have begun anew
            self._give_back(engine)

    def _suiting(self, scope: str) -> Engine | None:
        newest_first = list(reversed(self._free))
        known = next((each for each in newest_first if scope in self._known[each]), None)
        if known is not None or not newest_first:
            return known
        least = min(newest_first, key=lambda each: len(self._known[each]))
        return None if len(self._known[least]) >= FEW and self._is_known(scope) else least

    def _is_known(self, scope: str) -> bool:
        return any(scope in known for known in self._known.values())

    def _take(self, engine: Engine, scope: str) -> None:
        del self._free[engine]
        self._known[engine].add(scope)

    def _wait(self, scope: str, seconds: float) -> Engine:
        end = time.monotonic() + seconds
        waiter = _Waiter(scope, self._is_known(scope))
        try:
            with self._waiters.track_inprogress():
                self._line_up(waiter)
                if waiter.choosy and not waiter.given.wait(min(PATIENCE, seconds)):
                    self._take_any(waiter)
                if waiter.engine is None:
                    waiter.given.wait(max(0.0, end - time.monotonic()))
            with self._lock:
                self._line.pop(waiter, None)
        except BaseException:  # a thread that is killed
            with self._lock:
                self._line.pop(waiter, None)
            if waiter.engine is not None:
                self._give_back(waiter.engine)
            raise
        if waiter.engine is None:
            raise Busy("no database connection free")
        return waiter.engine

    def _line_up(self, waiter: _Waiter) -> None:
        with self._lock:
            self._line[waiter] = None
            engine = self._suiting(waiter.scope)  # given back meanwhile
            if engine is not None:
                self._hand_over(engine, waiter)

    def _take_any(self, waiter: _Waiter) -> None:
        with self._lock:
            waiter.choosy = False
            if waiter.engine is None and self._free:
                self._hand_over(min(self._free, key=lambda each: len(self._known[each])), waiter)

    def _hand_over(self, engine: Engine, waiter: _Waiter) -> None:
        self._take(engine, waiter.scope)
        del self._line[waiter]
        waiter.engine = engine
        waiter.given.set()

    def _give_back(self, engine: Engine) -> None:
        with self._lock:
            self._free[engine] = None
            for waiter in self._line:
                if not waiter.choosy or waiter.scope in self._known[engine]:
                    self._hand_over(engine, waiter)
                    return

    def _begin_anew(self, engine: Engine, *_event: object) -> None:
        self._known[engine].clear()

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
