"""``mpp dead-letters``: events that a consumer gave up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from deploy.cli.failures import explained
from services.chassis import dead_letters as letters
from services.chassis.database import Database, UnitOfWork
from services.chassis.errors import DatabaseUnavailable, DomainError
from services.chassis.settings import SERVICES, Settings

Outcome = TypeVar("Outcome")

SERVICE = click.option("--service", type=click.Choice(SERVICES), help="Only this service; default: all that are configured.")
REGENCY = click.option("--regency", help="Only this regency; default: all.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at, try again or drop events that a consumer could not handle.

    Needs MPP_<SERVICE>_DATABASE_URL of the services concerned.
    """


@dead_letters.command("list")
@SERVICE
@REGENCY
@click.option("--failing", is_flag=True, help="Also what is still being retried.")
@explained
def list_command(service: str | None, regency: str | None, failing: bool) -> None:
    """List dead letters, oldest first.

    A database or regency that fails is reported and the others go on; the exit status is then 1.
    """
    found, search = 0, _Search(service, regency)
    for name, slug, rows in search.each(lambda work: letters.list_dead_letters(work, include_failed=failing)):
        for row in rows:
            found += 1
            click.echo(
                f"{row['event_id']}  {name:<12} {slug:<24} {row['type']:<24} {row['status']:<7} {row['attempts']} attempts  {row['reason']}"
            )
    if not found and not search.failures:
        click.echo("No dead letters.")
    sys.exit(1 if search.failures else 0)


@dead_letters.command("show")
@click.argument("event_id", type=click.UUID)
@SERVICE
@REGENCY
@explained
def show(event_id: Any, service: str | None, regency: str | None) -> None:
    """Show one event with its payload and the reason."""
    for row in _the_one(service, regency, lambda work: letters.show_dead_letter(work, str(event_id))):
        click.echo(json.dumps(row, indent=2, ensure_ascii=False))


@dead_letters.command("replay")
@click.argument("event_id", type=click.UUID)
@SERVICE
@REGENCY
@explained
def replay(event_id: Any, service: str | None, regency: str | None) -> None:
    """Let the consumer try again, within a minute."""
    count = _the_one(service, regency, lambda work: letters.replay_dead_letter(work, str(event_id)))
    click.echo(f"{count} consumer(s) will try again within a minute.")


@dead_letters.command("drop")
@click.argument("event_id", type=click.UUID)
@SERVICE
@REGENCY
@click.confirmation_option(prompt="Give this event up for good?")
@explained
def drop(event_id: Any, service: str | None, regency: str | None) -> None:
    """Give an event up for good; a record stays."""
    count = _the_one(service, regency, lambda work: letters.drop_dead_letter(work, str(event_id)))
    click.echo(f"Dropped for {count} consumer(s).")


class _Search:
    """Walks through all that was asked for; what fails is told on standard error, and the others go on."""

    def __init__(self, service: str | None, regency: str | None) -> None:
        self._settings = Settings.from_environment()
        self._services = [service] if service else [name for name in SERVICES if name in self._settings.database_urls]
        self._regency = regency
        self.failures = 0
        if not self._services:
            raise click.ClickException("No MPP_<SERVICE>_DATABASE_URL is set: nothing to look into.")

    def each(self, action: Callable[[UnitOfWork], Outcome]) -> Iterator[tuple[str, str, Outcome]]:
        """Yield ``(service, regency, outcome of the action)``."""
        for name in self._services:
            database = Database(name, self._settings.database_url(name), pool_size=1, placement=self._settings.placement)
            try:
                for slug in self._regencies(database):
                    done: list[Outcome] = []
                    with self._told(f"{name}, {slug}"):
                        with database.regency_work(slug, timeout=30.0) as work:
                            outcome = action(work)
                        done.append(outcome)  # committed
                    for each in done:
                        yield name, slug, each
            finally:
                database.close()

    def _regencies(self, database: Database) -> Iterator[str]:
        if self._regency is not None:
            yield self._regency
            return
        for server in database.servers:
            found: list[str] = []
            with self._told(f"{database.service}, database server {server}" if server else database.service):
                found = database.regencies(server)
            yield from found

    @contextmanager
    def _told(self, where: str) -> Iterator[None]:
        try:
            yield
        except (DomainError, SQLAlchemyError) as error:
            self.failures += 1
            click.echo(f"Error: {where}: {_reason(error)}", err=True)


def _reason(error: DomainError | SQLAlchemyError) -> str:
    if isinstance(error, DatabaseUnavailable):
        return f"the database cannot be reached ({error.reason})"
    if isinstance(error, DomainError) and error.code == "dead_letter_empty":
        return "its content could not be stored, so it cannot be tried again; `mpp dead-letters drop` gives it up"
    return str(error) if isinstance(error, DomainError) else type(error).__name__


def _the_one(service: str | None, regency: str | None, action: Callable[[Any], Any]) -> Any:
    """Return the outcome where the event is found; it is in one regency of one service, mostly."""

    def guarded(work: UnitOfWork) -> Any:
        try:
            return action(work)
        except DomainError as error:
            if error.code == "dead_letter_unknown":
                return None
            raise

    search = _Search(service, regency)
    for _, _, outcome in search.each(guarded):
        if outcome is not None:
            return outcome
    if search.failures:
        raise click.ClickException("Not found where one could look; the failures stand above.")
    raise click.ClickException("No dead letter with this id. `mpp dead-letters list --failing` shows what there is.")
