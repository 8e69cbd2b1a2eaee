"""What a service gets from the chassis: nameko extensions with the life of their container."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nameko import config
from nameko.extensions import DependencyProvider, SharedExtension

from services.chassis import audit, commands, metrics
from services.chassis.audit_sealing import Sealer
from services.chassis.broker import EventPublisher, Subscription
from services.chassis.database import Database
from services.chassis.errors import DatabaseUnavailable, Unavailable
from services.chassis.logs import get_logger
from services.chassis.probes import PROBES
from services.chassis.relay import Relay
from services.chassis.rpc import RpcClient
from services.chassis.settings import Settings
from services.chassis.tenancy import schema_of
from services.chassis.turnstile import Turnstile
from services.contracts.subscriptions import EVENT_TYPES

log = get_logger(__name__)

SETTINGS_KEY = "MPP_SETTINGS"
SUBSCRIPTIONS_KEY = "MPP_SUBSCRIPTIONS"
STOP_SECONDS = 10.0
UPKEEP_SECONDS = 3600.0


def settings() -> Settings:
    """Return the settings of this process."""
    value: Settings = config[SETTINGS_KEY]
    return value


def subscriptions() -> Iterable[Subscription]:
    """Return every consumer's subscription: their queues are declared before anything is published."""
    value: Iterable[Subscription] = config[SUBSCRIPTIONS_KEY]
    return value


class DatabaseAccess(SharedExtension):
    """The service's database, shared by everything in its container."""

    database: Database
    turnstile: Turnstile

    def setup(self) -> None:
        """Create the pool; connections are made when first needed."""
        service = self.container.service_name
        self.database = Database(
            service,
            settings().database_url(service),
            placement=settings().placement,
            migrations=Path(inspect.getfile(self.container.service_cls)).parent / "migrations",
        )
        self.turnstile = Turnstile(service)
        metrics.DATABASE_POOL_IN_USE.labels(service).set_function(self.database.connections_in_use)
        PROBES.register(f"{service}.database", self.database.check)

    def stop(self) -> None:
        """Close the pool."""
        PROBES.unregister(f"{self.container.service_name}.database")
        self.database.close()


class DatabaseProvider(DependencyProvider):
    """Injects the service's :class:`Database`."""

    access = DatabaseAccess()

    def get_dependency(self, worker_ctx: Any) -> Database:
        """Return the database."""
        return self.access.database


class RpcAccess(SharedExtension):
    """The container's client for calling other services."""

    client: RpcClient

    def setup(self) -> None:
        """Create the client."""
        self.client = RpcClient(settings().required_broker_url(), self.container.service_name)

    def start(self) -> None:
        """Begin to listen for replies."""
        self.client.start()
        PROBES.register(f"{self.container.service_name}.replies", self.client.check)

    def stop(self) -> None:
        """Stop listening."""
        PROBES.unregister(f"{self.container.service_name}.replies")
        self.client.stop()


class RpcProvider(DependencyProvider):
    """Injects a client for calling other services."""

    access = RpcAccess()

    def get_dependency(self, worker_ctx: Any) -> RpcClient:
        """Return the client."""
        return self.access.client


class SettingsProvider(DependencyProvider):
    """Injects the process's :class:`Settings`."""

    def get_dependency(self, worker_ctx: Any) -> Settings:
        """Return the settings."""
        return settings()


class RelayRunner(DependencyProvider):
    """Runs the relays of the service's outboxes, one per database server."""

    access = DatabaseAccess()
    relays: tuple[Relay, ...] = ()

    def start(self) -> None:
        """Start each relay in a thread of its own."""
        url, database = settings().required_broker_url(), self.access.database
        metrics.begin_publisher(database.service, EVENT_TYPES.get(database.service, ()))
        self.relays = tuple(Relay(database, EventPublisher(url, subscriptions()), server) for server in database.servers)
        for relay in self.relays:
            threading.Thread(target=relay.run, name=f"{self.container.service_name}-relay", daemon=True).start()

    def stop(self) -> None:
        """Stop after the batch under way; what is left is published by the next relay."""
        for relay in self.relays:
            relay.stop()
        for relay in self.relays:
            relay.finished.wait(STOP_SECONDS)


class SealingRunner(DependencyProvider):
    """Seals the audit logs of the service."""

    access = DatabaseAccess()
    sealer: Sealer | None = None

    def start(self) -> None:
        """Start the sealer in a thread of its own."""
        self.sealer = Sealer(self.access.database)
        threading.Thread(target=self.sealer.run, name=f"{self.container.service_name}-sealer", daemon=True).start()

    def stop(self) -> None:
        """Seal what is known to wait."""
        if self.sealer is not None:
            self.sealer.stop()
            self.sealer.finished.wait(STOP_SECONDS)


class UpkeepRunner(DependencyProvider):
    """Each hour, in every regency: partitions ahead, old partitions cut, old command ids forgotten."""

    access = DatabaseAccess()

    def __init__(self) -> None:
        super().__init__()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the upkeep in a thread of its own."""
        threading.Thread(target=self._run, name=f"{self.container.service_name}-upkeep", daemon=True).start()

    def _run(self) -> None:
        pause = 60.0  # not while everything starts
        while not self._stopping.wait(pause):
            pause = UPKEEP_SECONDS
            try:
                upkeep(self.access.database, settings().event_log_months, settings().audit_months)
            except Unavailable:
                pause = 60.0
            except Exception:
                log.exception("upkeep_failed", service=self.container.service_name)

    def stop(self) -> None:
        """End the upkeep."""
        self._stopping.set()


_PREPARE = sa.text("SELECT platform.prepare_event_log(:schema, :month)")
_CUT_AUDIT = sa.text("SELECT platform.cut_audit_log(:schema, CAST(:before AS timestamptz))")
_CUT = sa.text("SELECT platform.cut_event_log(:schema, :before)")


def upkeep(database: Database, event_log_months: int, audit_months: int = 60) -> None:
    """Do one round of upkeep for every regency of a service; repeating it changes nothing.

    :param event_log_months: how many full months the event log goes back.
    :param audit_months: the same of the audit log.
    """
    now, failure = database.clock.now(), None
    for server in database.servers:
        for regency in database.regencies(server):
            try:
                _upkeep_of(database, server, regency, now, event_log_months, audit_months)
            except DatabaseUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  (told at the end; the others must not wait for its repair)
                log.error("upkeep_of_regency_failed", service=database.service, regency=regency, reason=type(error).__name__)
                failure = error
            time.sleep(0)  # let others run between two regencies
    if failure is not None:
        raise failure


def _upkeep_of(database: Database, server: str, regency: str, now: datetime, event_log_months: int, audit_months: int = 60) -> None:
    with database.platform_work(timeout=60.0, server=server) as work:
        for ahead in (0, 1, 2):
            work.execute(_PREPARE, {"schema": schema_of(regency), "month": _month(now, ahead)})
        work.execute(_CUT, {"schema": schema_of(regency), "before": _month(now, -event_log_months)})
        cut = work.execute(_CUT_AUDIT, {"schema": schema_of(regency), "before": _month(now, -audit_months)}).scalar_one()
    with database.regency_work(regency, timeout=60.0) as unit:
        commands.forget(unit, now - timedelta(hours=commands.RETENTION_HOURS))
        if cut:
            audit.write(unit, unit.context, "audit_cut", audit.Change("audit_log", None, None, {"up_to": cut}, {}))


def _month(now: datetime, shift: int) -> date:
    months = now.astimezone(UTC).year * 12 + now.month - 1 + shift
    return date(months // 12, months % 12 + 1, 1)
