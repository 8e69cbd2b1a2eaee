"""``mpp events``: watch what happens."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from typing import Any

import click

from deploy.cli.failures import explained
from deploy.watching import Wanted, watch
from services.chassis.settings import Settings
from services.chassis.tenancy import SLUG

_TYPE = re.compile(r"(mpp\.)?([a-z_]+|\*)\.([a-z_]+|\*)")


@click.group()
def events() -> None:
    """Watch events."""


@events.command()
@click.option("--regency", help="Only this regency; default: all.")
@click.option("--site", help="Only what happens at this site.")
@click.option("--type", "event_type", help="e.g. ticket.called, ticket.* or *.day_closed; default: all.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option("--timeout", type=click.FloatRange(min=0.1), help="Stop after so many seconds without an event.")
@click.option("--json", "as_json", is_flag=True, help="JSON on a terminal too.")
@explained
def tail(regency: str | None, site: str | None, event_type: str | None, count: int | None, timeout: float | None, as_json: bool) -> None:
    """Print events as they happen, until Ctrl-C.

    On a terminal a line for people; into a pipe or file one CloudEvent (JSON) a line. Only what happens while it runs is
    shown; it takes nothing away from anyone. Needs MPP_BROKER_URL, and with the embedded broker the databases' URLs.
    """
    wanted = Wanted(_slug("--regency", regency), _slug("--site", site), _type(event_type))
    show = _encoded if as_json or not sys.stdout.isatty() else _told
    shown = 0
    try:
        for event in watch(Settings.from_environment(), wanted, timeout=timeout):
            if not event:
                click.echo("Watching; Ctrl-C ends.", err=True)
                continue
            click.echo(show(event))
            sys.stdout.flush()
            shown += 1
            if shown == count:
                break
    except KeyboardInterrupt:
        click.echo(f"{shown} events", err=True)


def _slug(option: str, slug: str | None) -> str | None:
    if slug is not None and not SLUG.fullmatch(slug):
        raise click.ClickException(f"{option} {slug!r}: lower case letters, digits and hyphens, such as lampung-timur.")
    return slug


def _type(pattern: str | None) -> str | None:
    if pattern is None:
        return None
    if not _TYPE.fullmatch(pattern):
        raise click.ClickException(f"--type {pattern!r}: two words with a dot, such as ticket.called, ticket.* or *.day_closed.")
    return pattern.removeprefix("mpp.")


def _encoded(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False)


def _told(event: dict[str, Any]) -> str:
    """Time on this machine's clock, where, what, and which ticket or thing."""
    at = datetime.fromisoformat(event["time"]).astimezone().strftime("%H:%M:%S")
    ticket = event["data"].get("ticket") if isinstance(event["data"], dict) else None
    about = event["subject"]
    if isinstance(ticket, dict):
        about = " ".join(str(ticket[name]) for name in ("number", "service", "counter") if ticket.get(name))
    where = "/".join(part for part in (event["regency"], event["source"].partition("/sites/")[2]) if part)
    return f"{at}  {where:<40} {event['type'].removeprefix('mpp.'):<24} {about}"
