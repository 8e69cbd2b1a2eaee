"""A crowd over HTTP and RabbitMQ: many officers use every command at the same moment, on two replicas of ticketing.

A third of all commands is sent twice at once under the same Idempotency-Key, through both gateways. Afterwards the books
are checked over what the tables and the log of events say.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from services.chassis.events import Envelope
from services.contracts.problems import PROBLEMS
from tests.integration.ticketing.books import check_books
from tests.platform import checker, detours
from tests.platform.client import Answer, Client, CommandRecord, Ledger, together
from tests.platform.deployment import DeployedPlatform

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

REGENCY, SITE = "kutai-timur", "sangatta-ramai"
PATH = f"/v1/{REGENCY}"
SERVICES = ("RMA-KTP", "RMA-KK", "RMB-INF")
COUNTERS = tuple(f"{SITE}-{number:02d}" for number in range(1, 9))
POLICY = {
    "call_while_serving": False, "max_recalls": 1, "recall_gap_seconds": 0, "undo_call_seconds": 600, "max_rejoins": 1,
    "regular_per_priority": 1, "ageing_cap_minutes": None,
}  # fmt: skip

ACTORS = 8
COMMANDS, MOST_COMMANDS = 45, 200
"""Of each actor: so many, and more until each kind of command has succeeded."""

FITTING = {
    "reserved": ("check-in", "cancel"),
    "waiting": ("call", "call", "priority", "priority", "cancel"),
    "called": ("start", "start", "start", "recall", "undo-call", "hold", "return", "transfer", "no-show", "cancel"),
    "serving": ("complete", "complete", "hold", "return", "transfer"),
    "on_hold": ("resume", "resume", "resume", "priority", "cancel"),
    "no_show": ("rejoin",),
}
"""What somebody may mean to do with a ticket, by the state in which it was last seen."""

ON_TICKETS = sorted({action for actions in FITTING.values() for action in actions})
SOME_TIME = {*ON_TICKETS} - {"check-in"}
"""Each of these has to succeed; a leg joins its queue by itself, and sooner only if who was called did not come."""

CONFLICTS = {code for code, problem in PROBLEMS.items() if problem.status == 409}


class Crowd:
    """What all of them know of the tickets; each may be wrong by the time somebody acts on it."""

    def __init__(self, platform: DeployedPlatform) -> None:
        self.platform = platform
        self.ledger = Ledger()
        self.seen: list[str] = []
        self.states: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def work(self, number: int) -> None:
        """Do what comes to mind, mostly something that the ticket's last known state allows."""
        chance = random.Random(number)
        clients = [self.platform.client(f"officer@{REGENCY}", ledger=self.ledger, gateway=gateway) for gateway in range(2)]
        for count in range(MOST_COMMANDS):
            if count >= COMMANDS and all(self.done[action] for action in SOME_TIME):
                break
            path, body = self._anything(chance)
            if chance.random() < 1 / 3:
                key = uuid.uuid4().hex
                answers = together(2, lambda gateway, to=path, facts=body, key=key: clients[gateway].command(to, facts, key=key))
                done = [(answer.status, answer.body) for answer in answers if answer.status < 300]
                assert all(each == done[0] for each in done), f"{path} under one key: {done}"
            else:
                answers = [clients[number % 2].command(path, body)]
            for answer in answers:
                self._note(path, answer)

    def _anything(self, chance: random.Random) -> tuple[str, dict[str, Any] | None]:
        known = self.seen[-14:]
        if not known or (what := chance.random()) < 0.2:
            service, other = chance.sample(SERVICES, 2)
            body = {"site": SITE, "service": service, "channel": "front_desk", "priority_class": chance.choice((None, None, "elderly"))}
            return f"{PATH}/tickets", {**body, "then": [other]} if chance.random() < 0.4 else body
        if what < 0.4:
            return f"{PATH}/counters/{chance.choice(COUNTERS)}/call-next", None
        ticket, action = self._meant(chance) if chance.random() < 0.85 else (chance.choice(known), chance.choice(ON_TICKETS))
        return f"{PATH}/tickets/{ticket}/{action}", self._facts(action, chance)

    def _meant(self, chance: random.Random) -> tuple[str, str]:
        """Something that the last known state of a ticket allows: by turns anything, or what was done least until now."""
        with self._lock:
            live = [ticket for ticket in self.seen if self.states[ticket] in FITTING][-30:] or self.seen[-1:]
            meant = [(ticket, action) for ticket in live for action in FITTING.get(self.states[ticket], ON_TICKETS)]
            least = min(self.done[action] for _, action in meant)
            return chance.choice([each for each in meant if self.done[each[1]] == least] if chance.random() < 0.5 else meant)

    def _facts(self, action: str, chance: random.Random) -> dict[str, Any] | None:
        if action in ("call", "resume"):
            return {"counter": chance.choice(COUNTERS)}
        if action == "return":
            return {"position": chance.choice(("first", "last"))}
        if action == "transfer":
            return {"service": chance.choice(SERVICES)}
        if action == "priority":
            return {"priority_class": chance.choice((None, "elderly", "disability"))}
        return {"outcome": "done"} if action == "complete" else None

    def _note(self, path: str, answer: Answer) -> None:
        with self._lock:
            if answer.status == 409:
                self.refused[answer.body["code"]] += 1
                check_refusal(answer)
                return
            assert answer.status in (200, 201, 204), f"{path}: {answer}"
            self.done[path.rpartition("/")[2]] += 1
            if answer.status == 204:
                return
            for ticket in (answer.body, *(answer.body.get("legs") or ())):
                if ticket["id"] not in self.states:
                    self.seen.append(ticket["id"])
                self.states[ticket["id"]] = ticket.get("status", "reserved")
            if path.endswith("/transfer"):
                self.states[path.split("/")[-2]] = "transferred"


def check_refusal(answer: Answer) -> None:
    """A refusal is a problem document that tells what stands in the way now."""
    told = answer.body
    assert told["code"] in CONFLICTS, told
    if told["code"] == "ticket_state_conflict":
        assert told["current_status"] not in told["allowed"], told
    if told["code"] in ("counter_busy", "visit_busy"):
        assert told["current_status"] in detours.LIVE, told


class Books:
    """Tickets and stream of the site as the API and the owner's log tell them."""

    def __init__(self, platform: DeployedPlatform) -> None:
        self.site_facts = {"policy": POLICY}
        self._platform = platform

    def tickets(self) -> list[dict[str, Any]]:
        return self._platform.client(f"auditor@{REGENCY}").pages(f"{PATH}/tickets?site={SITE}")

    def log(self) -> list[dict[str, Any]]:
        return self._platform.event_log(REGENCY, f"/regencies/{REGENCY}/ticketing/sites/{SITE}")

    def events(self) -> list[Envelope]:
        return [
            Envelope(
                event["id"], event["source"], event["type"].removeprefix("mpp."), event["subject"], datetime.fromisoformat(event["time"]),
                REGENCY, int(event["sequence"]), event["data"],
            )
            for event in self.log()
        ]  # fmt: skip


@pytest.fixture
def crowd(deployed_platform: DeployedPlatform) -> Crowd:
    """A site of its own with two agencies, three services, and counters that serve them all."""
    admin = deployed_platform.client(f"admin@{REGENCY}")
    enter(admin, "sites", id=SITE, name="MPP Ramai", timezone="Asia/Makassar", accepting=True, channels=["front_desk"], policy=POLICY)
    for agency, prefix, codes in (("RMA", "A", ("KTP", "KK")), ("RMB", "B", ("INF",))):
        enter(admin, "agencies", id=agency, name=f"Dinas {agency}", kind="regency", presences=[{"site": SITE, "prefix": prefix}])
        for code in codes:
            enter(admin, "services", agency=agency, code=code, name=code)
    for number in range(1, 9):
        enter(admin, "counters", site=SITE, number=number, agency=None, services=list(SERVICES))
    deployed_platform.wait_followed("ticketing", "catalog", REGENCY)
    return Crowd(deployed_platform)


def enter(admin: Client, collection: str, **facts: Any) -> None:
    """Add something to the catalogue."""
    answer = admin.post(f"{PATH}/{collection}", facts)
    assert answer.status == 201, answer


def test_the_books_stay_whole_whoever_does_what_when(deployed_platform: DeployedPlatform, crowd: Crowd, figures: Figures):
    together(ACTORS, crowd.work)
    books = Books(deployed_platform)
    tickets, log = books.tickets(), books.log()
    check_books(books)  # type: ignore[arg-type]
    assert detours.check_visits(tickets, log, legs_in_order=False) > 0
    done = settled(crowd.ledger)
    changes = detours.check_effects(done.records, tickets)
    repeats = checker.check_repeats(deployed_platform, done)
    assert books.tickets() == tickets, "repeating commands changed tickets"
    actions = {record.path.rpartition("/")[2] for record in done.records}
    missing = {*SOME_TIME, "tickets", "call-next"} - actions
    assert not missing, f"nobody was ever successful with {missing}"
    figures(
        f"{len(crowd.ledger.records)} commands, {len(crowd.ledger.attempts)} requests;"
        f" {changes} changes of {len(tickets)} tickets, each once; {repeats} repeats agree; refused: {dict(crowd.refused)}"
    )


def settled(ledger: Ledger) -> Ledger:
    """What was done, each command once: those that were refused leave no trace, and may be answered otherwise later."""
    done: dict[str, CommandRecord] = {}
    for record in ledger.records:
        if record.answer.status < 300:
            done.setdefault(record.key, record)
    of_those = Ledger()
    of_those.records = list(done.values())
    return of_those
