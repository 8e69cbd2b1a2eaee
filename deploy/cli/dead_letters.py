"""``mpp dead-letters``: events that a consumer gave up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from deploy.cli.failures import explained
from services.chassis import dead_letters as letters
from services.chassis.database import Database
from services.chassis.errors import DomainError
from services.chassis.settings import SERVICES, Settings

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
    """List dead letters, oldest first."""
    found = 0
    for name, slug, rows in _each(service, regency, lambda work: letters.list_dead_letters(work, include_failed=failing)):
        for row in rows:
            found += 1
            click.echo(
                f"{row['event_id']}  {name:<12} {slug:<24} {row['type']:<24} {row['status']:<7} {row['attempts']} attempts  {row['reason']}"
            )
    if not found:
        click.echo("No dead letters.")


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


def _each(service: str | None, regency: str | None, action: Callable[[Any], Any]) -> Any:
    """Yield ``(service, regency, outcome of the action)`` for all that were asked for."""
    settings = Settings.from_environment()
    names = [service] if service else [name for name in SERVICES if name in settings.database_urls]
    if not names:
        raise click.ClickException("No MPP_<SERVICE>_DATABASE_URL is set: nothing to look into.")
    for name in names:
        database = Database(name, settings.database_url(name), pool_size=1)
        try:
            for slug in [regency] if regency else database.regencies():
                with database.regency_work(slug, timeout=30.0) as work:
                    outcome = action(work)
                yield name, slug, outcome
        finally:
            database.close()


def _the_one(service: str | None, regency: str | None, action: Callable[[Any], Any]) -> Any:
    """Return the outcome where the event is found; it is in one regency of one service, mostly."""

    def guarded(work: Any) -> Any:
        try:
            return action(work)
        except DomainError:
            return None

    for _, _, outcome in _each(service, regency, guarded):
        if outcome is not None:
            return outcome
    raise click.ClickException("No dead letter with this id. `mpp dead-letters list --failing` shows what there is.")
