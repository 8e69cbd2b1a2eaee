"""A regency's data may be on another database server; the service works with both, and with one while the other is away."""

import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from deploy.servers.postgres import PostgresServer
from services.chassis.broker import EventPublisher
from services.chassis.connections import HOME, url_on
from services.chassis.database import Database
from services.chassis.errors import DatabaseUnavailable
from services.chassis.events import read_log
from services.chassis.provisioning import Provisioner
from services.chassis.relay import Relay, stream_heads
from tests.integration.chassis.conftest import MIGRATIONS, Administration, added, schema
from tests.probe.deployment import new_virtual_host
from tests.processes import eventually

pytestmark = pytest.mark.integration

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def second(server_folder) -> Iterator[PostgresServer]:
    """Another database server."""
    with PostgresServer(server_folder / "chassis-second", durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def address(second) -> str:
    return f"127.0.0.1:{second.port}"


@pytest.fixture(scope="module")
def there(second, address, ledger_url) -> Provisioner:
    """Who prepares the ledger on the other server."""
    provisioner = Provisioner("ledger", url_on(address, ledger_url), second.admin_url, MIGRATIONS)
    provisioner.prepare()
    return provisioner


@pytest.fixture
def placed(there, provisioner) -> str:
    """A regency on the other server, named at home."""
    slug = f"uji-placed-{next(_numbers)}"
    there.add_regency(slug, {})
    provisioner.register(slug, {"name": "Elsewhere"})
    return slug


@pytest.fixture
def both(ledger_url, placed, address) -> Iterator[Database]:
    """The service's database on both servers."""
    database = Database("ledger", ledger_url, placement={placed: address})
    yield database
    database.close()


def add(database: Database, regency: str) -> None:
    with database.regency_work(regency) as work:
        work.execute(sa.text("INSERT INTO entry (account, amount) VALUES ('a', 1)"))
        work.emit(added())


def test_work_for_a_placed_regency_is_done_on_its_server(both, second, administration, ledger_url, placed, regency):
    add(both, placed)
    add(both, regency)
    elsewhere = Administration(second.url(sa.make_url(ledger_url).database or ""))
    assert elsewhere.count(f"{schema(placed)}.entry") == 1
    assert administration.count(f"{schema(regency)}.entry") == 1
    assert administration.run("SELECT 1 FROM pg_namespace WHERE nspname = :name", name=schema(placed)) == []


def test_every_regency_is_listed_once_wherever_it_is(both, provisioner, placed, regency, address):
    assert both.regencies().count(placed) == both.regencies().count(regency) == 1
    assert both.regencies(address) == [placed]
    assert placed not in both.regencies(HOME)
    assert provisioner.regencies()[placed] == {"name": "Elsewhere"}


def test_migration_at_home_passes_over_what_is_elsewhere(provisioner, there, placed, regency):
    report = provisioner.migrate()
    assert regency in report.done
    assert placed not in report.done
    assert report.failed == {}
    assert placed in there.migrate().done


def test_events_of_both_servers_are_published(both, rabbitmq_server, placed, regency):
    url = new_virtual_host(rabbitmq_server)
    for slug in (placed, regency):
        add(both, slug)
    for server in both.servers:
        publisher = EventPublisher(url, [])
        while Relay(both, publisher, server).publish_batch():
            pass
        publisher.close()
    heads = {head["regency"]: head["sequence"] for head in stream_heads(both)}
    assert (heads[placed], heads[regency]) == (1, 1)


def test_while_one_server_is_away_the_regencies_of_the_other_go_on(both, second, placed, regency):
    add(both, placed)
    second.kill()
    try:
        with pytest.raises(DatabaseUnavailable):
            add(both, placed)
        add(both, regency)
        assert regency in both.regencies()
        assert placed not in both.regencies()
        both.check()
        assert regency not in {head["regency"] for head in stream_heads(both)}, "not published, and no error either"
    finally:
        second.start()
    eventually(lambda: add(both, placed) is None)  # type: ignore[func-returns-value]
    with both.regency_work(placed) as work:
        assert [event.sequence for event in read_log(work, f"/regencies/{placed}/ledger/sites/main", 0, 10)] == [1, 2]
