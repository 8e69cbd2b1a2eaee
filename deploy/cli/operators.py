"""``mpp operator``: the first account of a deployment; it can add all others over the API."""

from __future__ import annotations

import sys

import click

from deploy.cli.failures import explained
from services.catalog.domain import CatalogError
from services.catalog.usecases.operators import add_operator
from services.chassis.database import Database
from services.chassis.settings import Settings


@click.group()
def operator() -> None:
    """Add operators of the platform."""


@operator.command("add")
@click.argument("name")
@click.option("--display-name", default="Operator", show_default=True)
@explained
def add(name: str, display_name: str) -> None:
    """Add the operator NAME (e.g. ani@platform), who may act for every regency.

    The password is asked for, or read from standard input: it never stands on the command line. Needs
    MPP_CATALOG_DATABASE_URL and a migrated database.
    """
    database = Database("catalog", Settings.from_environment().database_url("catalog"), pool_size=1)
    password = _password()
    try:
        with database.platform_work(timeout=30.0) as work:
            added = add_operator(work, name, display_name, password)
    except CatalogError as error:
        raise click.ClickException("; ".join(each["message"] for each in error.details.get("errors", [])) or str(error)) from error
    finally:
        database.close()
    click.echo(f"{name} {'added' if added else 'exists already; nothing was changed'}")


def _password() -> str:
    if sys.stdin.isatty():
        asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return asked
    return sys.stdin.readline().rstrip("\n")
