"""A disk is full in the middle of the day: what people are told, what the operator is told, and that room heals everything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import yaml

from deploy.servers import debian_packages
from deploy.servers.ports import free_port
from deploy.servers.postgres import PostgresServer
from deploy.servers.prometheus import PrometheusServer
from deploy.servers.rabbitmq import RabbitMQServer
from tests.fault.platform.disk import Disk
from tests.fault.platform.drill import felt
from tests.handbook.units import Unit, running
from tests.monitoring import hurried, write_targets
from tests.platform import checker
from tests.platform.deployment import DeployedPlatform
from tests.platform.embedded import EmbeddedPlatform
from tests.platform.journeys import OKU_TIMUR, Day
from tests.processes import eventually

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.thorough, pytest.mark.usefixtures("not_at_midnight")]

JOURNEYS = 200
BEFORE = 20
"""Journeys until the disk is full."""

Figures = Callable[[str], None]


@dataclass
class Site:
    """A platform of which one server has a small disk, and Prometheus with all that is delivered."""

    disk: Disk
    platform: DeployedPlatform
    prometheus: PrometheusServer

    def told(self, alert: str, **labels: str) -> bool:
        """Whether an alert fires."""
        wanted = ",".join(f'{name}="{value}"' for name, value in {"alertname": alert, "alertstate": "firing", **labels}.items())
        return bool(self.prometheus.query(f"ALERTS{{{wanted}}}"))


@contextmanager
def site(folder: Path, small: str) -> Iterator[Site]:
    """:param small: ``postgres`` or ``rabbitmq``, whose data lie on the small disk."""
    if shutil.which("prometheus-node-exporter") is None:
        debian_packages.install("prometheus-node-exporter", "the node exporter", service="prometheus-node-exporter")
    with ExitStack() as stack:
        disk = stack.enter_context(Disk(folder / "disk", 500))
        places = {server: (disk.folder if server == small else folder) / server for server in ("postgres", "rabbitmq")}
        postgres = stack.enter_context(PostgresServer(places["postgres"]))
        rabbitmq = stack.enter_context(RabbitMQServer(places["rabbitmq"]))
        stack.callback(rabbitmq.kill)
        platform = stack.enter_context(DeployedPlatform(folder / "platform", postgres, rabbitmq, ticketing=1, gateways=1))
        monitoring, port = hurried(folder / "monitoring", alarm_after=3), free_port()
        write_targets(monitoring / "targets", platform)
        (monitoring / "targets/node.yml").write_text(yaml.safe_dump([{"targets": [f"127.0.0.1:{port}"]}]))
        stack.enter_context(running(Unit("node-mpp.conf", {":9100": f":{port}"}), folder / "node.log"))
        yield Site(disk, platform, stack.enter_context(PrometheusServer(folder / "prometheus", monitoring / "prometheus.yml")))


def audit(platform: DeployedPlatform, day: Day) -> str:
    """Everybody was served once, whatever was answered; return the figures."""
    day.end()
    checker.check_only_outages(day.ledger)
    longest = checker.check_deadlines(day.ledger)
    assert len(day.completed) == len(set(day.completed)) == JOURNEYS
    repeated = checker.check_repeats(platform, day.ledger)
    tickets = platform.client("auditor@oku-timur").pages(f"{OKU_TIMUR.path}/tickets")
    checker.check_tickets(tickets)
    assert {ticket["id"] for ticket in tickets} == set(day.completed)
    checker.check_log(platform, OKU_TIMUR, tickets)
    checker.check_reports(platform, OKU_TIMUR, tickets)
    return f"{day.ledger.figures()}; longest {longest:.2f} s, {repeated} repeats agree"


def codes(day: Day, since: int) -> set[str | None]:
    """Codes of the refusals since so many attempts."""
    return {attempt.code for attempt in day.ledger.attempts[since:] if attempt.status == 503}


def test_the_disk_of_postgresql_is_full(server_folder: Path, figures: Figures):
    with site(server_folder / "full-postgres", "postgres") as full:
        day = Day(full.platform, OKU_TIMUR, JOURNEYS)
        day.begin()
        try:
            day.wait_completed(BEFORE)
            with felt(day.ledger):
                full.disk.fill()
            since = len(day.ledger.attempts)
            eventually(lambda: full.told("DiskFilling", severity="critical", mountpoint=str(full.disk.folder)), within=40, every=0.5)
            eventually(lambda: full.told("RequestsFailing"), within=40, every=0.5)
            assert codes(day, since) == {"service_unavailable"}
            board = full.platform.client().get(f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board")
            assert board.status == 200, "what is known is shown"
            assert full.platform.postgres.is_running
        finally:
            full.disk.free()
        figures(audit(full.platform, day))


def test_the_disk_of_rabbitmq_is_full(server_folder: Path, figures: Figures):
    with site(server_folder / "full-rabbitmq", "rabbitmq") as full:
        day = Day(full.platform, OKU_TIMUR, JOURNEYS)
        day.begin()
        try:
            day.wait_completed(BEFORE)
            with felt(day.ledger):
                full.disk.fill(leaving=30_000_000)
            since = len(day.ledger.attempts)
            eventually(lambda: full.told("BrokerDiskAlarm", severity="critical"), within=40, every=0.5)
            eventually(lambda: full.told("DiskFilling", severity="critical", mountpoint=str(full.disk.folder)), within=40, every=0.5)
            eventually(lambda: len(codes(day, since)), within=30)
            assert codes(day, since) == {"deadline_exceeded"}
        finally:
            full.disk.free()
        figures(audit(full.platform, day))


def test_postgresql_ends_for_want_of_room_for_its_log_of_changes_and_is_back_when_there_is_some(server_folder: Path, figures: Figures):
    """With `make run`, which starts it again; without, systemd or the operator does."""
    folder = server_folder / "full-log"
    with Disk(folder / "disk", 300) as disk:
        platform = EmbeddedPlatform(folder / "embedded")
        with platform:
            platform.interrupt()
            log = platform.data_dir / "postgres" / "cluster" / "pg_wal"
            subprocess.run(["/bin/mv", log, disk.folder / "pg_wal"], check=True)  # with its owner
            log.symlink_to(disk.folder / "pg_wal")
            platform.start()
            day = Day(platform, OKU_TIMUR, 40)
            day.begin()
            try:
                day.wait_completed(10)
                disk.fill()
                eventually(lambda: "PostgreSQL has ended" in switched(platform), within=30)
                eventually(lambda: "PostgreSQL did not start (attempt 2" in platform.printed(), within=60)
            finally:
                disk.free()
            eventually(lambda: "PostgreSQL runs again" in platform.printed(), within=90)
            day.end()
            checker.check_only_outages(day.ledger)
            assert len(day.completed) == len(set(day.completed)) == 40
            figures(day.ledger.figures())


def switched(platform: EmbeddedPlatform) -> str:
    """Have PostgreSQL take its next file for changes, which it does by itself after 16 MB; return what the platform has printed."""
    url = next(line for line in (platform.data_dir / "environment").read_text().splitlines() if "ADMIN_DATABASE_URL" in line)
    try:
        with psycopg.connect(url.partition("=")[2].strip("'\""), autocommit=True, connect_timeout=2) as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'test', repeat('x', 100000)), pg_switch_wal()")
    except psycopg.Error:
        pass
    return platform.printed()
