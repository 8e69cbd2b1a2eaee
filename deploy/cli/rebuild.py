"""``mpp rebuild``: make what a service knows of others again, from their event logs and snapshots."""

from __future__ import annotations

import sys

import click

from deploy.cli.failures import explained
from deploy.parts import projections
from deploy.rebuilding import PATIENCE_SECONDS, Rebuild, Stalled
from services.chassis.database import Database
from services.chassis.errors import DomainError
from services.chassis.settings import SERVICES, Settings
from services.contracts.subscriptions import SUBSCRIPTIONS


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option("--regency", help="Only this regency.")
@click.option("--all", "everywhere", is_flag=True, help="All regencies, one after the other in the order of their names.")
@click.option("--after", help="With --all: begin behind this regency, where an interrupted run had come to.")
@click.option("--again", is_flag=True, help="Begin anew also where a rebuild was begun and not finished.")
@click.option("--patience", type=click.FloatRange(min=1), default=PATIENCE_SECONDS, show_default=True, help="Seconds without progress.")
@explained
def rebuild(service: str, regency: str | None, everywhere: bool, after: str | None, again: bool, patience: float) -> None:
    """Make the projections of SERVICE again: what it knows only from the events of others.

    Empties the tables of one regency in one transaction; the running service then catches up from the event logs of the
    owners, and where those were cut, from their snapshots. SERVICE and the owners must be running. What SERVICE owns
    itself is never touched, and nobody is notified again. While ticketing is rebuilt, some seconds per regency, it
    knows no site and refuses numbers.

    May be interrupted: the service goes on, and the same command watches it again. A regency that fails is reported and
    the others go on; the exit status is then 1. Needs MPP_<SERVICE>_DATABASE_URL of SERVICE and of the owners.
    """
    if (regency is None) != everywhere:
        raise click.UsageError("Name a --regency, or say --all.")
    tables = projections(service)
    if not tables:
        raise click.ClickException(f"{service} has no projections: all it knows is its own.")
    settings = Settings.from_environment()
    names = {service} | {each.owner for each in SUBSCRIPTIONS if each.queue in tables}
    databases = {name: Database(name, settings.database_url(name), pool_size=1, placement=settings.placement) for name in sorted(names)}
    try:
        work = Rebuild(databases[service], databases, tables, click.echo, patience=patience)
        found = [regency] if regency else [slug for slug in databases[service].regencies() if after is None or slug > after]
        failures = sum(not _done(work, slug, again) for slug in found)
    finally:
        for database in databases.values():
            database.close()
    if everywhere:
        click.echo(f"{len(found) - failures} regencies done, {failures} not")
    sys.exit(1 if failures else 0)


def _done(work: Rebuild, regency: str, again: bool) -> bool:
    """Rebuild one regency; tell on standard error what is wrong with it."""
    try:
        progress = work.of(regency, again=again)
    except Stalled:
        reason = "nothing moves. Do the service and the owners of its streams run? It goes on when they do"
    except DomainError as error:
        reason = str(error)
    else:
        if not progress.failed and not progress.dead:
            return True
        reason = f"{progress.failed} events failed and are retried, {progress.dead} were given up: `mpp dead-letters list --failing`"
    click.echo(f"Error: {regency}: {reason}", err=True)
    return False
