"""The unit of work: one transaction, one regency, one role.

A service's login may touch no regency's table. A unit of work first runs one statement that sets role,
``search_path`` and timeouts for this transaction only; without a regency every read is refused by PostgreSQL
itself. State, events and the command's result are committed together or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import Executable

from services.chassis import events, metrics, revisions
from services.chassis.clock import Clock, SystemClock
from services.chassis.connections import HOME, ConnectionPool, meaning, url_on
from services.chassis.context import SYSTEM, CallContext
from services.chassis.errors import DatabaseUnavailable, DeadlineExceeded
from services.chassis.events import Event
from services.chassis.logs import get_logger
from services.chassis.revisions import NeededRevisions
from services.chassis.round_trips import Check
from services.chassis.statements import Constant, constant
from services.chassis.tenancy import role_of, schema_of
from services.chassis.transaction import Parameters, Refused, Result, Transaction

log = get_logger(__name__)

_ENTER_REGENCY = Constant(
    sa.text(
        "SELECT set_config('role', :role, true), set_config('search_path', :schema, true),"
        " set_config('statement_timeout', :timeout, true), set_config('lock_timeout', :lock_timeout, true),"
        " set_config('transaction_timeout', :limit, true), set_config('plan_cache_mode', :plans, true)"
    ),
    everywhere=True,
)
_ENTER_PLATFORM = Constant(
    sa.text(
        "SELECT set_config('search_path', 'platform', true),"
        " set_config('statement_timeout', :timeout, true), set_config('lock_timeout', :lock_timeout, true),"
        " set_config('transaction_timeout', :limit, true)"
    ),
    everywhere=True,
)
_REGENCIES = sa.text("SELECT slug FROM platform.regency WHERE provisioned_at IS NOT NULL ORDER BY slug")

_PLATFORM_IS_BEHIND = sa.text("""
    SELECT coalesce((SELECT max(version_num) FROM platform.migrations_of_chassis), '0000') < :chassis
        OR coalesce((SELECT max(version_num) FROM platform.migrations_of_service), '0000') < :service
""")
_CHASSIS_IS_BEHIND = sa.text("SELECT coalesce((SELECT max(version_num) FROM platform.migrations_of_chassis), '0000') < :chassis")
_BEHIND = sa.text("""
    SELECT slug, chassis_revision < :chassis OR service_revision < :service AS behind
    FROM platform.regency WHERE provisioned_at IS NOT NULL
""")

TRANSACTION_GRACE_SECONDS = 0.5
"""So long after its deadline the server ends a transaction and its connection: a process that froze in between holds
no lock that others wait for, and commits nothing late when it wakes. Later than a statement's timeout, which costs
no connection."""


class SchemaBehind(DatabaseUnavailable):
    """The database was not migrated for this program yet."""


class Work:
    """One open transaction."""

    def __init__(self, transaction: Transaction, context: CallContext, now: Any) -> None:
        self._transaction = transaction
        self.connection = transaction.connection
        self.context = context
        self.now = now
        """One instant (aware UTC) for everything that happens in this transaction."""
        self.audited = False
        """Whether it has written to the audit log."""

    def execute(self, statement: Executable, parameters: Parameters = None) -> Result:
        """Run one statement of a ``store.py``, after all that was put off."""
        return self._transaction.execute(statement, parameters)

    def later(
        self,
        statement: sa.TextClause,
        parameters: Mapping[str, Any],
        *,
        check: Check | None = None,
        refused: Refused | None = None,
    ) -> None:
        """Run a statement before the next :meth:`execute` or the commit, in the same round trip.

        :param check: is given the number of rows of the result, and may raise, once it has been run.
        :param refused: is given the driver's error when PostgreSQL refuses this or a statement that went with it; what
            it returns is raised instead.
        """
        self._transaction.later(constant(statement), parameters, check, refused)

    def flush(self) -> None:
        """Run what was put off, now."""
        self._transaction.flush()

    def restart(self) -> None:
        """Undo everything and let go of all locks."""
        self._transaction.restart()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what happens inside, and only that, when it raises."""
        self.flush()
        with self.connection.begin_nested():
            yield
            self.flush()


class PlatformWork(Work):
    """A transaction of the service's own login: registry and outbox, and no regency's table."""


class UnitOfWork(Work):
    """A transaction under one regency's role."""

    def __init__(self, transaction: Transaction, context: CallContext, now: Any, service: str, regency: str) -> None:
        super().__init__(transaction, context, now)
        self.service = service
        self.regency = regency
        self.emitted: list[Event] = []
        self.noted: list[Any] = []
        """What the action under way has changed, for :mod:`.audit`."""
        self.rouses = False
        """Set when this unit leaves work for others of the process: they are woken after the commit."""
        self.measured: list[Callable[[], None]] = []
        """What is shown in metrics, or begun, once it is true: called after the commit; must not raise."""

    def emit(self, event: Event) -> None:
        """Say what happened; written with the state at commit, the stream's row locked last."""
        self.emitted.append(event)

    def restart(self) -> None:
        """Undo everything, events included, and let go of all locks."""
        super().restart()
        self.emitted.clear()
        self.noted.clear()
        self.measured.clear()
        self.rouses = self.audited = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what happens inside when it raises, events included."""
        emitted, noted, measured = len(self.emitted), len(self.noted), len(self.measured)
        try:
            with super().attempt():
                yield
        except BaseException:
            del self.emitted[emitted:]
            del self.noted[noted:]
            del self.measured[measured:]
            raise


class Database:
    """The connections of one service in one process: one small pool, not one per regency."""

    def __init__(
        self,
        service: str,
        url: str,
        *,
        clock: Clock | None = None,
        pool_size: int = 5,
        placement: Mapping[str, str] | None = None,
        migrations: Path | None = None,
    ) -> None:
        """Open nothing yet: connections are made when first needed.

        :param placement: the regencies whose data are on another server: slug -> ``host:port``.
        :param migrations: the service's own migrations, to tell schemas that are behind them.
        """
        self.service = service
        self.clock = clock or SystemClock()
        self.committed: list[Any] = []
        """Called without arguments after each commit that wrote events (the relay's wake-up)."""
        self.roused: list[Any] = []
        """Called without arguments after each commit that left other work, see :attr:`UnitOfWork.rouses`."""
        self.audited: list[Callable[[str | None], None]] = []
        """Called after each commit that wrote to an audit log, with the regency, or ``None`` for the platform's."""
        self._placement = dict(placement or {})
        self._needed = NeededRevisions.of(migrations)
        self._behind: list[str] = []
        self.servers = (HOME, *sorted(set(self._placement.values())))
        """The database servers of this service; all but :data:`HOME` by address."""
        self._pools = {server: ConnectionPool(url_on(server, url), service, pool_size) for server in self.servers}

    @contextmanager
    def regency_work(
        self,
        regency: str,
        *,
        context: CallContext | None = None,
        timeout: float = 5.0,
        lock_timeout: float | None = None,
        read_only: bool = False,
        plan_once: bool = False,
    ) -> Iterator[UnitOfWork]:
        """Open a unit of work for one regency; commit when the block ends, roll back when it raises.

        :param context: who calls, until when; the deadline also bounds each statement and the commit.
        :param timeout: seconds, when no context is given.
        :param lock_timeout: seconds to wait for any one lock, then :class:`Blocked` is raised; default: as long as for
            everything else.
        :param plan_once: for what each regency does all the time: PostgreSQL plans a constant the first time, for any values, instead
            of also with those of the first five times. Not for filters that may be absent, or for most of a table or little of it.
        :raises DomainError: ``regency_unknown`` when the regency is not provisioned here.
        :raises Unavailable: database away, deadline over, or no connection free in time.
        """
        call = context or CallContext(regency=regency, actor=SYSTEM, deadline=time.time() + timeout)
        settings = {
            "role": role_of(self.service, regency),
            "schema": schema_of(regency),
            "plans": "force_generic_plan" if plan_once else "auto",
        }
        server = self._placement.get(regency, HOME)
        with self._transaction(server, _ENTER_REGENCY, settings, call, read_only, lock_timeout) as transaction:
            work = UnitOfWork(transaction, call, self.clock.now(), self.service, regency)
            yield work
            if work.emitted:
                events.record(work)
            _check_deadline(call)
        for show in work.measured:
            show()
        if work.audited:
            self._tell_audited(regency)
        for wake in (*(self.committed if work.emitted else ()), *(self.roused if work.rouses else ())):
            wake()

    @contextmanager
    def platform_work(self, *, timeout: float = 5.0, context: CallContext | None = None, server: str = HOME) -> Iterator[PlatformWork]:
        """Open a transaction of the service's login for the tables in schema ``platform`` of one server."""
        call = context or CallContext(regency=None, actor=SYSTEM, deadline=time.time() + timeout)
        with self._transaction(server, _ENTER_PLATFORM, {}, call, False) as transaction:
            work = PlatformWork(transaction, call, self.clock.now())
            yield work
            _check_deadline(call)
        if work.audited:
            self._tell_audited(None)

    def _tell_audited(self, regency: str | None) -> None:
        for tell in self.audited:
            tell(regency)

    def regencies(self, server: str | None = None) -> list[str]:
        """Return the slugs of the regencies that are provisioned in this service, sorted.

        :param server: only those whose data are on this server. Without it, a server that is away is passed over
            as long as another one answers.
        :raises Unavailable: no server answers.
        """
        if server is not None:
            with self.platform_work(server=server) as work:
                found = list(work.execute(_REGENCIES).scalars())
            return [slug for slug in found if self._placement.get(slug, HOME) == server]
        reachable, failure = [], None
        for each in self.servers:
            try:
                reachable.append(self.regencies(each))
            except DatabaseUnavailable as error:
                failure = error
        if not reachable and failure is not None:
            raise failure
        return sorted(slug for slugs in reachable for slug in slugs)

    def server_of(self, regency: str) -> str:
        """Return the database server on which a regency's data are."""
        return self._placement.get(regency, HOME)

    def check(self) -> None:
        """Raise unless a server answers, and every one that does is migrated (readiness).

        One of several servers that is away does not take the regencies of the others off the air; neither does a
        regency whose migration failed: it is counted and logged. Only when all are behind is the program too new.
        """
        failures: list[DatabaseUnavailable] = []
        regencies: dict[str, bool] = {}
        for server in self.servers:
            try:
                with self.platform_work(timeout=2.0, server=server) as work:
                    self._check_platform(work)
                    rows = work.execute(_BEHIND, asdict(self._needed.regency))
                    regencies.update({row.slug: row.behind for row in rows if self._placement.get(row.slug, HOME) == server})
            except SchemaBehind:
                raise
            except DatabaseUnavailable as error:
                failures.append(error)
                if len(failures) == len(self.servers):
                    raise
        self._tell_behind(regencies)

    def _check_platform(self, work: PlatformWork) -> None:
        needed = self._needed.platform
        # A service without tables of its own in this schema has no table of revisions there either.
        statement = _CHASSIS_IS_BEHIND if needed.service == revisions.NONE else _PLATFORM_IS_BEHIND
        if work.execute(statement, asdict(needed)).scalar_one():
            raise SchemaBehind("the platform schema is behind this program: run `mpp migrate`")

    def _tell_behind(self, regencies: Mapping[str, bool]) -> None:
        behind = sorted(slug for slug, is_behind in regencies.items() if is_behind)
        metrics.REGENCIES_BEHIND.labels(self.service).set(len(behind))
        if behind != self._behind:
            self._behind = behind
            log.warning("regencies_behind", service=self.service, regencies=behind)
        if behind and len(behind) == len(regencies):
            raise SchemaBehind("every regency is behind this program: run `mpp migrate`")

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def connections_in_use(self) -> int:
        """Return how many connections are taken now."""
        return sum(pool.in_use() for pool in self._pools.values())

    @contextmanager
    def _transaction(
        self,
        server: str,
        enter: Constant,
        settings: dict[str, Any],
        call: CallContext,
        read_only: bool,
        lock_timeout: float | None = None,
    ) -> Iterator[Transaction]:
        started = time.perf_counter()
        try:
            _check_deadline(call)
            scope = settings.get("schema", "platform")
            with self._pools[server].turn(call.remaining(), scope) as engine:
                transaction = Transaction(engine, enter, {**settings, **_limits(call, lock_timeout)}, scope, read_only=read_only)
                try:
                    yield transaction
                    transaction.commit()
                finally:
                    transaction.close()
        except (SQLAlchemyError, psycopg.Error) as error:
            told = meaning(error, read_only=read_only, impatient=lock_timeout is not None)
            if told is error:
                raise
            raise told from error
        finally:
            metrics.DATABASE_WORK.labels(self.service).observe(time.perf_counter() - started)


def _limits(call: CallContext, lock_timeout: float | None) -> dict[str, str]:
    """Return the timeouts of a transaction in milliseconds."""
    remaining = call.remaining()
    seconds = {
        "timeout": remaining,
        "lock_timeout": remaining if lock_timeout is None else min(remaining, lock_timeout),
        "limit": remaining + TRANSACTION_GRACE_SECONDS,
    }
    return {name: str(max(1, int(value * 1000))) for name, value in seconds.items()}


def _check_deadline(call: CallContext) -> None:
    if call.remaining() <= 0:
        raise DeadlineExceeded
