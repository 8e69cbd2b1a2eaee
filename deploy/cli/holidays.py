"""``mpp holidays``: national holidays and joint leave into the calendars of regencies."""

from __future__ import annotations

import click

from deploy.cli.failures import explained
from deploy.seed import holidays_only, seed, years
from services.chassis.context import SYSTEM, CallContext
from services.chassis.rpc import RpcClient
from services.chassis.settings import Settings

ASKING_SECONDS = 10.0


@click.group()
def holidays() -> None:
    """National holidays and joint leave (cuti bersama) in the calendars of regencies."""


@holidays.command("load")
@click.argument("wanted", metavar="[YEAR]...", type=click.Choice([str(year) for year in years()]), nargs=-1)
@click.option("--regency", "slugs", multiple=True, metavar="SLUG", help="Only this regency; may be repeated. Default: all.")
@explained
def load(wanted: tuple[str, ...], slugs: tuple[str, ...]) -> None:
    """Add the holidays of YEAR (default: of every year that comes along) to regencies that lack them.

    What a regency has already stays as it is, for its officials may have changed it. Ramadan hours come as an entry
    without effect, until the regency makes it `active`. Needs MPP_BROKER_URL and a running catalog service.
    """
    client = RpcClient(Settings.from_environment().required_broker_url(), "holidays")
    client.start()
    try:
        context = CallContext(regency=None, actor=SYSTEM).within(ASKING_SECONDS)
        regencies = {each["id"]: each for each in client.call("catalog", "list_regencies", {}, context)["items"]}
        unknown = [slug for slug in slugs if slug not in regencies]
        if unknown:
            raise click.ClickException(f"{unknown[0]} is no regency of this platform; `mpp regency list` shows them.")
        chosen = [regencies[slug] for slug in slugs or sorted(regencies)]
        of_years = [int(year) for year in wanted] or None
        totals = seed(client.call, (holidays_only(regency, of_years) for regency in chosen), progress=click.echo)
    finally:
        client.stop()
    click.echo(", ".join(f"{count} {name}" for name, count in totals.items()))
