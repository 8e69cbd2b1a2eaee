"""``mpp events``: watch what happens."""

from __future__ import annotations

import json
import sys

import click

from deploy.cli.failures import explained
from services.chassis.settings import EMBEDDED_BROKER, Settings, SettingsError
from services.chassis.tail import tail as watch


@click.group()
def events() -> None:
    """Watch events."""


@events.command()
@click.option("--regency", default="*", help="Only this regency; default: all.")
@click.option("--type", "event_type", default="#", help="e.g. ticket.called or ticket.*; default: all.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option("--timeout", type=click.FloatRange(min=0.1), help="Stop after so many seconds without an event.")
@explained
def tail(regency: str, event_type: str, count: int | None, timeout: float | None) -> None:
    """Print events as they happen, one CloudEvent (JSON) a line, until Ctrl-C.

    Needs MPP_BROKER_URL. Only what is published while it runs is shown; it takes nothing away from anyone.
    """
    url = Settings.from_environment().required_broker_url()
    if url.startswith(EMBEDDED_BROKER):
        raise SettingsError("The embedded broker cannot be watched from outside: start with make run BROKER=rabbitmq.")
    shown = 0
    try:
        for event in watch(url, f"{regency}.{event_type}", timeout=timeout):
            if not event:
                click.echo("Watching; Ctrl-C ends.", err=True)
                continue
            click.echo(json.dumps(event, ensure_ascii=False))
            sys.stdout.flush()
            shown += 1
            if shown == count:
                break
    except KeyboardInterrupt:
        click.echo(f"{shown} events", err=True)
