"""A database of its own with the regencies of one test, and replicas of ticketing on it."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import services.ticketing
from deploy.servers.postgres import PostgresServer
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.provisioning import Provisioner
from services.ticketing import usecases
from services.ticketing.usecases import Closing
from tests.integration.ticketing.mall import Mall, SettableClock

MIGRATIONS = Path(services.ticketing.__file__).parent / "migrations"

DAY = date(2026, 3, 11)
MIDNIGHT = datetime(2026, 3, 11, 17, 0, tzinfo=UTC)
"""In western Indonesia, at the end of the day."""


class Replica(Database):
    """A replica that remembers which regencies it asked, and can be kept from one."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__("ticketing", url, clock=clock, pool_size=4)
        self.asked: list[str] = []
        self.trouble: dict[str, Exception] = {}

    def regency_work(self, regency: str, **options: Any) -> Any:
        self.asked.append(regency)
        if regency in self.trouble:
            raise self.trouble[regency]
        return super().regency_work(regency, **options)

    def asked_since(self) -> set[str]:
        asked, self.asked = set(self.asked), []
        return asked


class Province:
    """A database of its own, so that a round meets the regencies of one test only."""

    def __init__(self, postgres_server: PostgresServer) -> None:
        name = f"ticketing_{secrets.token_hex(4)}"
        self.url = postgres_server.url(name, user=name, password=secrets.token_urlsafe(24))
        self.provisioner = Provisioner("ticketing", self.url, postgres_server.admin_url, MIGRATIONS)
        self.provisioner.prepare()
        self.clock = SettableClock(MIDNIGHT - timedelta(hours=8))
        self.replicas: list[Replica] = []
        self.database = self.replica()

    def replica(self, clock: Clock | None = None) -> Replica:
        self.replicas.append(Replica(self.url, clock or self.clock))
        return self.replicas[-1]

    def regency(self) -> str:
        slug = f"uji-{secrets.token_hex(4).translate(str.maketrans('0123456789', 'ghijklmnop'))}"
        self.provisioner.add_regency(slug, {})
        return slug

    def mall(self, regency: str | None = None, **site: str) -> Mall:
        mall = Mall(self.database, self.clock, regency or self.regency(), **site)
        mall.ktp, mall.kk = mall.agency("CPL", "A", "KTP", "KK")
        mall.first = mall.counter(1, mall.ktp, mall.kk)
        return mall


def statuses(mall: Mall, **query: str) -> list[str]:
    """States of the site's tickets in order of issue."""
    return [ticket["status"] for ticket in mall.tickets(**query)]


def close(mall: Mall) -> Closing:
    """Close the day, or a batch of it, as one round does."""
    with mall.database.regency_work(mall.regency) as work:
        return usecases.close_due_day(work, mall.site, DAY)
