"""``mpp consumers``: who listens to events from outside."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, urlsplit

import click

from deploy.cli.failures import explained
from deploy.outside.accounts import accounts
from deploy.outside.consumers import LIMITS, Condition, Consumer, allow, checked_events, conditions, has_guest, withdraw
from deploy.outside.management import Management
from services.chassis.errors import DomainError, Unavailable
from services.chassis.settings import Settings
from services.chassis.tenancy import MAX_SLUG_LENGTH, SLUG
from services.contracts.subscriptions import PUBLIC_AGGREGATES


@click.group()
def consumers() -> None:
    """Let programs outside the platform listen to the events of one regency.

    Needs a running platform, MPP_BROKER_URL (RabbitMQ) and MPP_BROKER_MANAGEMENT_URL, e.g. http://rabbitmq:15672/; its
    user is that of MPP_BROKER_URL unless it names another, and must be an administrator of RabbitMQ.
    """


REGENCY = click.option("--regency", required=True, help="e.g. lampung-timur")


@consumers.command("add")
@click.argument("name")
@REGENCY
@click.option("--events", multiple=True, help="e.g. ticket.* or ticket.called, may be repeated; default: all public events.")
@click.option("--rotate", is_flag=True, help="Give it a new password; whoever uses the old one is disconnected.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@explained
def add(name: str, regency: str, events: tuple[str, ...], rotate: bool, as_json: bool) -> None:
    """Let the consumer NAME (e.g. dinas-kominfo) listen to a regency, and show how it connects.

    The password is shown once and stored nowhere in clear. Safe to repeat: completes what an interrupted run left half
    done, and renews the consumer's rights and limits; `--events` then replaces what it listens to.
    """
    consumer, patterns = _consumer(regency, name), _patterns(events)
    settings = Settings.from_environment()
    broker = Management.of(settings)
    if has_guest(broker):
        click.echo("Warning: RabbitMQ still has its user guest, who may read and write everything. Delete it.", err=True)
    with accounts(settings) as at_gateway:
        _check_regency(at_gateway, regency)
        rotate = rotate or not at_gateway.exists(consumer)
        password = allow(broker, consumer, patterns, rotate=rotate, tell=lambda new: at_gateway.allow(consumer, new))
    facts = _facts(settings, broker, consumer, password)
    click.echo(json.dumps(facts) if as_json else _told(facts))


@consumers.command("list")
@click.option("--regency", help="Only this regency; default: all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@explained
def list_consumers(regency: str | None, as_json: bool) -> None:
    """List consumers: what waits for each in its queue, and whether it is connected.

    RabbitMQ counts every five seconds; younger changes may not show.
    """
    found = conditions(Management.of(Settings.from_environment()), regency)
    if as_json:
        for each in found:
            described = asdict(each)
            click.echo(json.dumps({**described.pop("consumer"), "queue": each.consumer.queue, **described}))
    elif not found:
        click.echo("No consumer yet. Add one with `mpp consumers add`.")
    else:
        click.echo(f"{'consumer':<24} {'regency':<28} {'waiting':>8}  state")
        for each in found:
            depth = "-" if each.depth is None else str(each.depth)
            click.echo(f"{each.consumer.name:<24} {each.consumer.regency:<28} {depth:>8}  {_state(each)}")


@consumers.command("revoke")
@click.argument("name")
@REGENCY
@explained
def revoke(name: str, regency: str) -> None:
    """Cut the consumer NAME off now: its user, connections, queue and account. Safe to repeat."""
    consumer = _consumer(regency, name)
    settings = Settings.from_environment()
    broker = Management.of(settings)
    found = withdraw(broker, consumer)  # first: this works while the platform itself is down
    try:
        with accounts(settings) as at_gateway:
            found = at_gateway.withdraw(consumer) or found
    except Unavailable as error:
        raise click.ClickException(
            f"{name} of {regency} listens no more, but the catalogue service does not answer ({error.code}):"
            " repeat this when it runs, to close the account with which it reads the event log."
        ) from error
    except DomainError as error:
        if error.code != "regency_unknown":
            raise
    if not found:
        raise click.ClickException(f"{regency} has no consumer {name}. `mpp consumers list` shows those that exist.")
    click.echo(f"{name} of {regency} is cut off; its queue is gone.")


def _consumer(regency: str, name: str) -> Consumer:
    for what, slug in (("regency", regency), ("name", name)):
        if len(slug) > MAX_SLUG_LENGTH or not SLUG.fullmatch(slug):
            raise click.ClickException(
                f"{what} {slug!r}: use lower case letters, digits and hyphens, at most {MAX_SLUG_LENGTH}, such as dinas-kominfo."
            )
    return Consumer(regency, name)


def _patterns(events: tuple[str, ...]) -> list[str] | None:
    try:
        return checked_events(events) or None
    except ValueError as unknown:
        groups = ", ".join(f"{aggregate}.*" for aggregate in PUBLIC_AGGREGATES)
        raise click.ClickException(f"--events {unknown}: there is no such event; use {groups} or one of their events.") from unknown


def _check_regency(at_gateway: Any, regency: str) -> None:
    try:
        at_gateway.check_regency(regency)
    except DomainError as error:
        if error.code != "regency_unknown":
            raise
        raise click.ClickException(f"The regency {regency} is not known. `mpp regency list` shows those that exist.") from error


def _facts(settings: Settings, broker: Management, consumer: Consumer, password: str | None) -> dict[str, Any]:
    """Everything that the consumer needs; ``url`` is ``None`` when the password is the one it has."""
    own = urlsplit(settings.required_broker_url().split(";")[0])
    public = urlsplit(settings.broker_public_url) if settings.broker_public_url else own
    address = public.netloc.rpartition("@")[2]
    path = quote(broker.vhost, safe="")
    url = None if password is None else f"{public.scheme}://{consumer.queue}:{quote(password, safe='')}@{address}/{path}"
    return {
        "consumer": consumer.name,
        "regency": consumer.regency,
        "url": url,
        "address": address,
        "user": consumer.queue,
        "queue": consumer.queue,
        "events": list(next(each.events for each in conditions(broker, consumer.regency) if each.consumer == consumer)),
        "account": consumer.account,
        "password": password,
    }


def _told(facts: dict[str, Any]) -> str:
    kept = f"{LIMITS['max-length']:,} events, {LIMITS['message-ttl'] // 86_400_000} days; then the oldest give way"
    if facts["password"] is None:
        head = f"{facts['user']} exists already; its password stays. A lost one is replaced with --rotate."
    else:
        head = f"The consumer {facts['consumer']} may listen to {facts['regency']}. The password is shown only now:"
    rows = {
        "MPP_EVENTS_URL": facts["url"],
        "queue": f"{facts['queue']} (made for it: consume from it, do not declare it)",
        "events": ", ".join(facts["events"]),
        "kept": kept,
        "read again": f"GET /v1/{facts['regency']}/events, signed in as {facts['account']} with the same password",
    }
    return "\n".join([head, *(f"  {name:<16} {value}" for name, value in rows.items() if value is not None)])


def _state(condition: Condition) -> str:
    if condition.depth is None:
        return "no queue: add it again"
    if condition.reading:
        return f"reading ({', '.join(condition.events)})"
    return f"{'connected, not reading' if condition.connections else 'not connected'} ({', '.join(condition.events)})"
