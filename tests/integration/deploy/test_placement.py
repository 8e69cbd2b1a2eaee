"""A regency may live on another database server, by configuration alone."""

from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from deploy import regencies
from deploy.servers.postgres import PostgresServer
from services.chassis import relay
from services.chassis.broker import EventPublisher
from services.chassis.database import Database
from services.chassis.events import Event
from services.chassis.relay import Relay
from services.chassis.settings import SERVICES, Settings

FACTS = {"id": "lampung-timur", "name": "Kabupaten Lampung Timur"}
OTHER = {"id": "oku-timur", "name": "Kabupaten Ogan Komering Ulu Timur"}


@pytest.fixture
def placed(tmp_path_factory, server_folder: Path):
    """Settings for two servers of their own; lampung-timur is on the second."""
    with (
        PostgresServer(server_folder / "home", durable=False) as home,
        PostgresServer(server_folder / "away", durable=False) as away,
    ):
        # One administrator and one password on both, as an operator who places regencies would have it.
        with psycopg.connect(away.admin_url) as connection:
            connection.execute(f"ALTER ROLE mpp_admin PASSWORD '{home.password}'")
        environment = {
            "MPP_ADMIN_DATABASE_URL": home.admin_url,
            "MPP_DATABASE_PLACEMENT": f"lampung-timur=127.0.0.1:{away.port}",
            **{f"MPP_{service.upper()}_DATABASE_URL": home.url(service, service, "secret") for service in SERVICES},
        }
        yield Settings.from_environment(environment)


def _publish_nothing(batch, *, timeout=10.0):
    return []


@pytest.mark.integration
def test_a_placed_regency_has_its_tables_outbox_and_heads_on_its_server_and_is_listed_like_the_others(placed, monkeypatch):
    regencies.prepare(placed)
    for facts in (FACTS, OTHER):
        regencies.add_regency(placed, facts, lambda line: None)
    reports = regencies.migrate(placed, lambda line: None)
    database = Database("ticketing", placed.database_url("ticketing"), placement=placed.placement)
    home, away = database.servers

    assert not any(report.failed for report in reports)
    assert [row["id"] for row in regencies.regency_table(placed)] == ["lampung-timur", "oku-timur"]
    assert database.regencies() == ["lampung-timur", "oku-timur"]
    assert database.regencies(away) == ["lampung-timur"]
    assert database.regencies(home) == ["oku-timur"]
    database.check()

    for facts in (FACTS, OTHER):
        with database.regency_work(facts["id"]) as work:
            work.emit(Event("ticket.called", "1", {}, site="main"))
    for server, slug in ((away, "lampung-timur"), (home, "oku-timur")):
        with database.platform_work(server=server) as work:
            assert list(work.execute(sa.text("SELECT regency FROM platform.outbox")).scalars()) == [slug]

    publisher = EventPublisher("embedded://", ())
    monkeypatch.setattr(publisher, "publish", _publish_nothing)
    for server in database.servers:
        assert Relay(database, publisher, server).publish_batch() == 1
    assert {head["regency"] for head in relay.stream_heads(database)} == {"lampung-timur", "oku-timur"}
    database.close()
