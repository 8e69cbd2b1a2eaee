"""What notification sent to a webhook and to mailboxes, compared with the log of events."""

from __future__ import annotations

from collections import Counter
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


def check_letters(platform: DeployedPlatform, hall: Hall, mailbox: Mailbox, subscribed: Mapping[str, str]) -> int:
    """Who wanted a letter at the end has exactly one, or none and staff can see why; return how many are uncertain.

    :param subscribed: address by ticket id.
    """
    settle(platform, hall)
    letters = Counter(letter.recipient for letter in mailbox.letters)
    assert not letters or max(letters.values()) == 1, f"somebody got a letter twice: {letters.most_common(3)}"
    states = _letters_of_tickets(platform, hall)
    uncertain = 0
    for ticket, address in subscribed.items():
        assert states[ticket] in ("delivered", "uncertain"), f"{ticket}: {states[ticket]}"
        assert letters[address] == 1 or states[ticket] == "uncertain", f"{ticket}: delivered, and not in the mailbox"
        uncertain += states[ticket] == "uncertain"
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


def _letters_of_tickets(platform: DeployedPlatform, hall: Hall) -> dict[str, str]:
    with psycopg.connect(platform.postgres.url("notification")) as connection:
        rows = connection.execute(f"SELECT CAST(ticket AS text), state FROM {_schema(hall)}.delivery WHERE channel = 'email'").fetchall()
    assert len(rows) == len(dict(rows)), "a ticket has two letters"
    return dict(rows)


def _schema(hall: Hall) -> str:
    return hall.regency.replace("-", "_")
