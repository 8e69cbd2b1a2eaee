"""``mpp dead-letters`` looks wherever regencies are, tells what fails there, and goes on with the others."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from deploy import regencies
from deploy.cli.commands import mpp
from deploy.servers.ports import free_port
from deploy.servers.postgres import PostgresServer
from services.chassis.database import Database
from services.chassis.settings import SERVICES, Settings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PLACED, AT_HOME = "lampung-timur", "oku-timur"
NOWHERE = f"127.0.0.1:{free_port()}"
LETTERS = {PLACED: str(uuid.uuid4()), AT_HOME: str(uuid.uuid4())}
_DEAD = sa.text("""
    INSERT INTO inbox (consumer, event_id, source, sequence, type, status, attempts, received_at, payload, reason)
    VALUES ('ticketing.catalog', :id, '/x', 1, 'catalog.site_changed', 'dead', 1, now(), '{}', 'broken')
""")


@pytest.fixture(scope="module")
def variables(server_folder: Path) -> Iterator[dict[str, str]]:
    """Two servers, a regency on each, and a dead letter of ticketing in both."""
    with (
        PostgresServer(server_folder / "letters-home", durable=False) as home,
        PostgresServer(server_folder / "letters-away", durable=False) as away,
    ):
        with psycopg.connect(away.admin_url) as connection:
            connection.execute(f"ALTER ROLE mpp_admin PASSWORD '{home.password}'")
        variables = {
            "MPP_ADMIN_DATABASE_URL": home.admin_url,
            "MPP_DATABASE_PLACEMENT": f"{PLACED}=127.0.0.1:{away.port}",
            **{f"MPP_{service.upper()}_DATABASE_URL": home.url(service, service, "secret") for service in SERVICES},
        }
        settings = Settings.from_environment(variables)
        regencies.prepare(settings)
        for slug in LETTERS:
            regencies.add_regency(settings, {"id": slug, "name": slug}, lambda line: None)
        database = Database("ticketing", settings.database_url("ticketing"), placement=settings.placement)
        for slug, letter in LETTERS.items():
            with database.regency_work(slug) as work:
                work.execute(_DEAD, {"id": letter})
        database.close()
        yield variables


@pytest.fixture
def dead_letters(variables: dict[str, str]) -> Callable[..., Result]:
    """Runs ``mpp dead-letters``."""

    def run(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(mpp, ["dead-letters", *arguments], env={**variables, **more})

    return run


def test_letters_are_listed_wherever_their_regency_is(dead_letters):
    done = dead_letters("list")
    assert done.exit_code == 0
    assert all(letter in done.stdout for letter in LETTERS.values())


def test_a_letter_of_a_placed_regency_is_shown_and_replayed(dead_letters):
    assert '"reason": "broken"' in dead_letters("show", LETTERS[PLACED]).stdout
    assert "1 consumer(s) will try again" in dead_letters("replay", LETTERS[PLACED]).stdout
    assert LETTERS[PLACED] not in dead_letters("list").stdout
    assert "failed" in dead_letters("list", "--failing", "--regency", PLACED).stdout


def test_a_server_that_is_away_is_told_and_the_others_are_listed(dead_letters):
    done = dead_letters("list", MPP_DATABASE_PLACEMENT=f"{PLACED}={NOWHERE}")
    assert done.exit_code == 1
    assert f"ticketing, database server {NOWHERE}: the database cannot be reached" in done.stderr
    assert LETTERS[AT_HOME] in done.stdout
    assert "No dead letters" not in done.stdout


def test_a_service_whose_database_is_away_is_told_and_the_others_are_listed(dead_letters):
    done = dead_letters("list", MPP_CATALOG_DATABASE_URL=f"postgresql://catalog:secret@{NOWHERE}/catalog", MPP_DATABASE_PLACEMENT="")
    assert done.exit_code == 1
    assert "Error: catalog: the database cannot be reached" in done.stderr
    assert LETTERS[AT_HOME] in done.stdout


def test_a_regency_that_fails_is_told_and_the_others_are_listed(dead_letters, variables):
    home = psycopg.connect(variables["MPP_ADMIN_DATABASE_URL"].replace("/postgres", "/ticketing"), autocommit=True)
    home.execute("ALTER TABLE oku_timur.inbox RENAME TO inbox_away")
    try:
        done = dead_letters("list", "--service", "ticketing", "--failing")
        lost = dead_letters("show", LETTERS[AT_HOME])
    finally:
        home.execute("ALTER TABLE oku_timur.inbox_away RENAME TO inbox")
        home.close()
    assert done.exit_code == 1
    assert "ticketing, oku-timur: ProgrammingError" in done.stderr
    assert LETTERS[PLACED] in done.stdout
    assert lost.exit_code == 1
    assert "Not found where one could look" in lost.stderr


def test_an_unknown_regency_is_told(dead_letters):
    done = dead_letters("list", "--service", "ticketing", "--regency", "atlantis")
    assert done.exit_code == 1
    assert "ticketing, atlantis: regency_unknown" in done.stderr
