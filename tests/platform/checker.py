"""The auditor: compares what clients were told with tickets, event logs, the broker's consumers and the clock.

Each function raises an ``AssertionError`` that names what does not agree.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import psycopg

from services.notification.domain import KINDS
from tests.platform.boards import recomputed, reduced
from tests.platform.client import Client, CommandRecord, Ledger, WayIn, together
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import Hall
from tests.processes import eventually

DEADLINE_SECONDS = 5.0
"""MPP_COMMAND_DEADLINE_SECONDS of a deployment that does not set it."""

GRACE_SECONDS = 1.0
"""What the way through client, gateway and broker may add to a deadline."""

TERMINAL = frozenset({"completed", "no_show", "transferred", "cancelled", "expired", "void"})
OWN_MOMENT = ("position", "estimated_wait_seconds", "token")
"""Fields of an answer that are not part of the ticket that events carry."""

Ticket = Mapping[str, Any]


# --- requests and commands


def check_deadlines(ledger: Ledger) -> float:
    """No request took longer than its deadline; return how long the longest took, in seconds."""
    late = [a for a in ledger.attempts if a.seconds > DEADLINE_SECONDS + GRACE_SECONDS]
    assert not late, f"{len(late)} requests took longer than {DEADLINE_SECONDS + GRACE_SECONDS:g} s, e.g. {late[0]}"
    return max(attempt.seconds for attempt in ledger.attempts)


def check_only_outages(ledger: Ledger) -> None:
    """A request is answered, refused for an outage (503) or cut off; a fault of ours (500) is none of these."""
    wrong = [a for a in ledger.attempts if a.status not in (0, 200, 201, 204, 503)]
    assert not wrong, f"{len(wrong)} unexpected answers, e.g. {wrong[0]}"


def check_repeats(platform: WayIn, ledger: Ledger) -> int:
    """Every command sent once more, through whichever gateway, is answered as before; return how many were sent."""
    records = iter(list(ledger.records))
    lock = threading.Lock()

    def next_record() -> CommandRecord | None:
        with lock:
            return next(records, None)

    def repeat(_index: int) -> None:
        clients: dict[str, Client] = {}
        while (record := next_record()) is not None:
            if record.actor not in clients:
                clients[record.actor] = platform.client(None if record.actor == "anonymous" else record.actor)
            again = clients[record.actor].request("POST", record.path, record.body, key=record.key)
            told, then = (record.answer.status, record.answer.body), (again.status, again.body)
            assert then == told, f"{record.path} {record.key}: told {told}, then {then}"

    together(8, repeat)
    return len(ledger.records)


def check_not_late(records: Iterable[CommandRecord], committed: Mapping[tuple[str, int], datetime]) -> float:
    """Every command was committed within the deadline of one of its attempts.

    :param committed: commit time of the event of each ``(ticket id, version)``.
    :returns: how many seconds after its attempt began the latest was committed.
    """
    latest = 0.0
    for record in records:
        if record.answer.status == 204:
            continue
        at = committed[record.answer.body["id"], record.answer.body["version"]].timestamp()
        since = [at - attempt.at for attempt in record.attempts if attempt.at <= at]
        assert since, f"{record.path} was committed before it was sent"
        assert min(since) <= DEADLINE_SECONDS + GRACE_SECONDS, (
            f"{record.path} {record.key} was committed {min(since):.2f} s after it was sent"
        )
        latest = max(latest, min(since))
    return latest


def commit_times(platform: DeployedPlatform, hall: Hall) -> dict[tuple[str, int], datetime]:
    """When the events of a hall's tickets were committed, by the server's own clock (``track_commit_timestamp``)."""
    schema = hall.regency.replace("-", "_")
    with psycopg.connect(platform.postgres.url("ticketing")) as connection:
        rows = connection.execute(
            f"SELECT subject, (data->'ticket'->>'version')::int, pg_xact_commit_timestamp(xmin) FROM {schema}.event_log"
            " WHERE type LIKE 'ticket.%'"
        ).fetchall()
    return {(subject, version): at.astimezone(UTC) for subject, version, at in rows}


# --- tickets


def check_tickets(tickets: Iterable[Ticket]) -> None:
    """Numbers are unique and gapless, periods contiguous, versions count the changes, counters serve one at a time."""
    numbers: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    at_counter: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for ticket in tickets:
        prefix, _, number = ticket["number"].partition("-")
        numbers[ticket["site"], ticket["business_date"], prefix].append(int(number))
        check_life(ticket)
        for period in ticket["periods"]:
            if period["state"] in ("called", "serving"):
                at_counter[period["counter"]].append((period["started_at"], period["ended_at"] or "9999", ticket["number"]))
    for key, found in numbers.items():
        assert sorted(found) == list(range(1, len(found) + 1)), f"{key}: numbers are not 1 to {len(found)}: {sorted(found)}"
    for counter, periods in at_counter.items():
        for (_, end, one), (start, _, other) in pairwise(sorted(periods)):
            assert end <= start, f"{counter} had {one} until {end} and {other} from {start}"


def check_life(ticket: Ticket) -> None:
    """One ticket's periods follow each other without a gap, and its version counts what happened to it."""
    periods = ticket["periods"]
    for before, after in pairwise(periods):
        assert before["ended_at"] == after["started_at"], f"{ticket['number']}: gap between periods {before} and {after}"
    assert periods[0]["started_at"] == ticket["issued_at"], ticket
    assert periods[-1]["state"] == ticket["status"], ticket
    assert (periods[-1]["ended_at"] is not None) == (ticket["status"] in TERMINAL), ticket
    # Recalls of the last call, and changes of priority, begin no period.
    assert ticket["version"] >= len(periods) + ticket["recalls"], f"{ticket['number']}: version {ticket['version']}, {len(periods)} periods"


def public(ticket: Ticket) -> dict[str, Any]:
    """The part of a ticket's answer that events carry."""
    return {name: value for name, value in ticket.items() if name not in OWN_MOMENT}


# --- events


def check_log(platform: DeployedPlatform, hall: Hall, tickets: Iterable[Ticket]) -> list[dict[str, Any]]:
    """The log of the hall's stream is contiguous, and its last word about each ticket is what the API says; return it."""
    source = f"/regencies/{hall.regency}/ticketing/sites/{hall.site}"
    log = platform.event_log(hall.regency, source)
    check_contiguous(source, [int(event["sequence"]) for event in log])
    assert {event["regency"] for event in log} == {hall.regency}
    told: dict[str, list[Ticket]] = defaultdict(list)
    for event in log:
        if event["type"].startswith("mpp.ticket."):
            assert event["subject"] == event["data"]["ticket"]["id"]
            told[event["subject"]].append(event["data"]["ticket"])
    tickets = [ticket for ticket in tickets if ticket["status"] != "printing"]  # nobody hears of a number before its slip is out
    assert set(told) == {ticket["id"] for ticket in tickets}, "the log tells of other tickets than the API"
    for ticket in tickets:
        states = told[ticket["id"]]
        first = 2 if ticket["periods"][0]["state"] == "printing" else 1
        assert [state["version"] for state in states] == list(range(first, ticket["version"] + 1)), f"{ticket['number']}: {states}"
        assert states[-1] == public(ticket), f"log and API differ: {states[-1]} {ticket}"
    return log


def check_contiguous(source: str, sequences: list[int]) -> None:
    """A stream's sequence is 1, 2, 3 and so on."""
    assert sequences == list(range(1, len(sequences) + 1)), f"{source}: not contiguous: {_holes(sequences)}"


def _holes(sequences: list[int]) -> list[tuple[int, int]]:
    return [(before, after) for before, after in pairwise([0, *sequences]) if after != before + 1]


def check_published(platform: DeployedPlatform, hall: Hall, log: list[dict[str, Any]], within: float = 30.0) -> None:
    """Everything in the log has been published: the relay's head stands at its end, and the outbox is empty."""
    source = f"/regencies/{hall.regency}/ticketing/sites/{hall.site}"

    def published() -> bool:
        heads = {head["source"]: head["sequence"] for head in platform.call("ticketing", "stream_heads", {})}
        return bool(heads.get(source) == len(log) and outbox_size(platform, "ticketing") == 0)

    eventually(published, within=within)


def outbox_size(platform: DeployedPlatform, service: str) -> int:
    """How many events of a service the broker has not confirmed."""
    with psycopg.connect(platform.postgres.url(service)) as connection:
        row = connection.execute("SELECT count(*) FROM platform.outbox").fetchone()
    assert row is not None
    return int(row[0])


def check_received(received: Iterable[Mapping[str, Any]], source: str, count: int) -> int:
    """A consumer of its own queue got every event of a stream; return how many came more than once."""
    sequences = [int(event["sequence"]) for event in received if event["source"] == source]
    assert sorted(set(sequences)) == list(range(1, count + 1)), f"{source}: received {_holes(sorted(set(sequences)))}"
    return len(sequences) - count


# --- facts of others


def check_reports(platform: DeployedPlatform, hall: Hall, tickets: Iterable[Ticket], within: float = 40.0) -> None:
    """Reporting's figures of every business date are those of the tickets."""
    platform.wait_followed("reporting", "ticketing", hall.regency, within=within)
    by_date: dict[str, list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        by_date[ticket["business_date"]].append(ticket)
    for date, of_date in by_date.items():
        figures = platform.call("reporting", "daily_report", {"site": hall.site, "date": date}, hall.regency)
        of_date = [ticket for ticket in of_date if any(period["state"] == "waiting" for period in ticket["periods"])]
        shown = (*(TERMINAL - {"void"}), "waiting", "called", "serving", "on_hold")
        states = {state: sum(ticket["status"] == state for ticket in of_date) for state in shown}
        assert {"issued": figures["issued"], **{state: figures[state] for state in states}} == {"issued": len(of_date), **states}
        waits = [seconds_in(ticket, "waiting") for ticket in of_date if any(map(is_call, ticket["periods"]))]
        if waits:
            assert abs(figures["wait_seconds"]["mean"] - sum(waits) / len(waits)) < 0.01, figures
        serves = [seconds_in(ticket, "serving") for ticket in of_date if ticket["status"] == "completed"]
        if serves:
            assert abs(figures["serve_seconds"]["mean"] - sum(serves) / len(serves)) < 0.01, figures


def check_notices(platform: DeployedPlatform, hall: Hall, log: Iterable[Mapping[str, Any]], within: float = 40.0) -> int:
    """Notification has recorded what citizens should be told exactly once for each event of the log; return how many."""
    platform.wait_followed("notification", "ticketing", hall.regency, within=within)
    kinds = {"mpp." + event_type: kind for event_type, kind in KINDS.items()}
    expected = sorted(
        (event["subject"], event["data"]["ticket"]["version"], kinds[event["type"]]) for event in log if event["type"] in kinds
    )
    with psycopg.connect(platform.postgres.url("notification")) as connection:
        rows = connection.execute(f"SELECT CAST(ticket AS text), version, kind FROM {hall.regency.replace('-', '_')}.notice").fetchall()
    found = sorted((ticket, version, kind) for ticket, version, kind in rows)
    assert found == expected, f"notices differ from the log: {set(found) ^ set(expected)}"
    return len(found)


def is_call(period: Mapping[str, Any]) -> bool:
    """Whether somebody was called, and not by mistake."""
    return period["state"] == "called" and not period.get("undone")


def seconds_in(ticket: Ticket, state: str) -> float:
    """Seconds a ticket spent in a state, over all its closed periods."""
    return sum(
        (datetime.fromisoformat(period["ended_at"]) - datetime.fromisoformat(period["started_at"])).total_seconds()
        for period in ticket["periods"]
        if period["state"] == state and period["ended_at"]
    )


# --- boards


def check_boards(platform: DeployedPlatform, hall: Hall, within: float = 30.0) -> str:
    """Every gateway shows the board that follows from ticketing's own tables; return what it took.

    Asks again until it is so, and until all show the same: after a fault a board may take a moment, and estimates follow from
    paces that each gateway asks ticketing for every few seconds.
    """
    started = time.monotonic()
    sequence, expected = board_of_tables(platform, hall)
    clients = [platform.client(gateway=number) for number in range(len(platform.http_ports))]

    def follow() -> bool:
        boards = [client.get(f"{hall.path}/sites/{hall.site}/board").body for client in clients]
        for board in boards:
            found = (board["sequence"], reduced(board))
            assert found == (sequence, expected), f"board {found} differs from tables {(sequence, expected)}"
            assert board["live"], "the board is not live"
        different = [name for name in boards[0] if name != "as_of" and any(board[name] != boards[0][name] for board in boards)]
        assert not different, f"gateways differ at {sequence} in {different}"
        return True

    eventually(follow, within=within)
    return f"boards of {len(clients)} gateways as the tables say at {sequence}, {time.monotonic() - started:.1f} s"


def board_of_tables(platform: DeployedPlatform, hall: Hall) -> tuple[int, dict[str, Any]]:
    """The sequence of a site's stream and its board of the newest business date, recomputed from ticketing's tables."""
    schema = hall.regency.replace("-", "_")
    with psycopg.connect(platform.postgres.url("ticketing")) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        head = connection.execute(
            f"SELECT sequence FROM {schema}.stream WHERE source = %s", [f"/regencies/{hall.regency}/ticketing/sites/{hall.site}"]
        ).fetchone()
        names = ("service", "status", "counter", "issued_at", "periods")
        rows = connection.execute(
            f"SELECT prefix, number, {', '.join(names)} FROM {schema}.ticket WHERE site = %s AND status <> 'printing' AND business_date ="
            f" (SELECT (now() AT TIME ZONE (data->>'timezone'))::date FROM {schema}.catalog_copy WHERE kind = 'site' AND id = %s)",
            [hall.site, hall.site],
        ).fetchall()
    tickets = []
    for prefix, number, *values in rows:
        ticket = dict(zip(names, values, strict=True))
        tickets.append({**ticket, "number": f"{prefix}-{number:03d}", "issued_at": ticket["issued_at"].isoformat()})
    return (0 if head is None else head[0]), recomputed(tickets)
