"""What notification sent to a webhook and to mailboxes, compared with the log of events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import Hall
from tests.processes import eventually
from tests.receivers import HttpReceiver, Mailbox

UNDER_WAY = ("pending", "sending", "handing_over")


def check_webhook(platform: DeployedPlatform, hall: Hall, log: Iterable[Mapping[str, Any]], receiver: HttpReceiver) -> int:
    """Every ticket event of the log was posted as it was published; return how many posts were repeats under the same id."""
    settle(platform, hall)
    published = {event["id"]: dict(event) for event in log if event["type"].startswith("mpp.ticket.")}
    posted = {each.headers["webhook-id"]: each.event for each in receiver.posted}
    assert posted.keys() == published.keys(), f"{len(published.keys() - posted.keys())} events were not posted"
    assert posted == published, "an event was posted otherwise than published"
    return len(receiver.posted) - len(posted)


def check_letters(
    platform: DeployedPlatform, hall: Hall, mailbox: Mailbox, subscribed: Mapping[str, str], tickets: Iterable[Mapping[str, Any]]
) -> int:
    """Who wanted letters of ends has exactly one for each ticket of the visit, or none and staff can see why.

    Who was transferred is told the new number, too, unless it was called sooner than a letter could be written.

    :param subscribed: address by id of the ticket for which somebody subscribed; all its visit's tickets end later.
    :returns: how many letters are uncertain.
    """
    settle(platform, hall)
    received = Counter(letter.recipient for letter in mailbox.letters)
    planned = _letters_of_wishes(platform, hall)
    visits: dict[str, set[tuple[str, int]]] = defaultdict(set)
    known = {ticket["id"]: ticket for ticket in tickets}
    for ticket in known.values():
        visits[ticket["visit"]].add((ticket["id"], ticket["version"]))
    uncertain = 0
    for wish, address in subscribed.items():
        states = {(ticket, version): state for ticket, version, state in planned[wish]}
        assert len(states) == len(planned[wish]), f"a version of a ticket has two letters: {planned[wish]}"
        for end in visits[known[wish]["visit"]]:
            assert states.get(end) in ("delivered", "uncertain"), f"{known[end[0]]['number']}: {states.get(end)}"
        others = {each: state for each, state in states.items() if each not in visits[known[wish]["visit"]]}
        assert all(version == 1 and known[ticket]["transferred_from"] for ticket, version in others), f"nobody wanted {others}"
        found = Counter(states.values())
        assert found["delivered"] <= received[address] <= found["delivered"] + found["uncertain"], f"{received[address]} letters: {found}"
        assert found.keys() <= {"delivered", "uncertain", "superseded"}, found
        uncertain += found["uncertain"]
    return uncertain


def settle(platform: DeployedPlatform, hall: Hall) -> None:
    """Wait until nothing is on its way. What a process left that died in between is handed out when its lease ends: now."""
    platform.wait_followed("notification", "ticketing", hall.regency)
    try:
        eventually(lambda: not _under_way(platform, hall), within=10)
    except AssertionError:
        end_leases(platform, hall)
        try:
            eventually(lambda: not _under_way(platform, hall), within=30)
        except AssertionError:
            raise AssertionError(f"still on the way: {_under_way(platform, hall)[:5]}") from None


def _under_way(platform: DeployedPlatform, hall: Hall) -> list[tuple[Any, ...]]:
    query = (
        "SELECT channel, state, attempts, last_error, last_status, next_attempt_at - now(), lease_until - now(), now() - created_at"
        f" FROM {_schema(hall)}.delivery WHERE state = ANY(%s)"
    )
    with psycopg.connect(platform.postgres.url("notification")) as connection:
        return connection.execute(query, (list(UNDER_WAY),)).fetchall()


def end_leases(platform: DeployedPlatform, hall: Hall) -> None:
    """Let time pass for deliveries: whoever holds one, holds it no longer. Only for processes that are dead."""
    with psycopg.connect(platform.postgres.url("notification")) as connection:
        connection.execute(f"UPDATE {_schema(hall)}.delivery SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL")
        # One more hint: moving another one ahead would have it followed, and forgotten, before what it stands for is due.
        connection.execute("INSERT INTO platform.delivery_hint (regency, due_at) VALUES (%s, now())", (hall.regency,))


def _letters_of_wishes(platform: DeployedPlatform, hall: Hall) -> dict[str, list[tuple[str, int, str]]]:
    """Ticket, version and state of each letter, by the ticket for which somebody subscribed."""
    query = (
        "SELECT CAST(made.ticket AS text), CAST(delivery.ticket AS text), version, state FROM {0}.delivery"
        " JOIN {0}.subscription ON subscription.id = delivery.subscription"
        " JOIN {0}.subscription AS made ON made.id = coalesce(subscription.follows, subscription.id) WHERE channel = 'email'"
    )
    letters: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    with psycopg.connect(platform.postgres.url("notification")) as connection:
        for wish, *letter in connection.execute(query.format(_schema(hall))):
            letters[wish].append((letter[0], letter[1], letter[2]))
    return letters


def _schema(hall: Hall) -> str:
    return hall.regency.replace("-", "_")
