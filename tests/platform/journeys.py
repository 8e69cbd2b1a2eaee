"""Citizens and counters at work: tickets taken, called, started and completed by several clients at once."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from tests.platform.client import Answer, Client, Ledger, WayIn
from tests.platform.detours import WAYS, was_missed
from tests.processes import eventually

PRIORITY_CLASSES = (None, None, None, "elderly", "disability", "pregnant")


@dataclass(frozen=True)
class Hall:
    """A site with the services that people come for and the counters at which they are served."""

    regency: str
    site: str
    services: tuple[str, ...]
    counters: tuple[str, ...]

    @property
    def path(self) -> str:
        """Beginning of the regency's paths."""
        return f"/v1/{self.regency}"


OKU_TIMUR = Hall(
    "oku-timur",
    "martapura",
    ("PTS-IZN", "CPL-ADM", "KES-LKS", "DIK-LPD"),
    tuple(f"martapura-{number:02d}" for number in range(1, 9)),
)
"""Eight counters that serve every service."""

LAMPUNG_TIMUR = Hall("lampung-timur", "sukadana", ("CPL-KTP", "CPL-KK"), ("sukadana-05",))


@dataclass
class Day:
    """A hall at work: one client for citizens and one for the officer at each counter, in a thread of its own.

    Each thread takes a number and then serves whoever is next, so that all that were issued are served in the end. Whatever
    brings one more to the queue is followed by one more call of the same thread.
    """

    platform: WayIn
    hall: Hall
    journeys: int
    ledger: Ledger = field(default_factory=Ledger)
    issued: list[Answer] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    letter_every: int = 0
    """One citizen in so many wants a letter when served; 0: nobody."""
    subscribed: dict[str, str] = field(default_factory=dict)
    """Address by ticket id."""
    detours: bool = False
    """Whether some are put aside, sent back, missed, transferred, or come for two services (`detours.WAYS`)."""
    transferred: dict[str, str] = field(default_factory=dict)
    """New ticket id by the one that was transferred."""

    def __post_init__(self) -> None:
        self._numbers = itertools.count()
        self._errors: list[BaseException] = []
        self._closing = threading.Event()
        officer = f"officer@{self.hall.regency}"
        self.platform.token(officer)
        self._threads = [
            threading.Thread(target=self._work, args=(counter, officer), name=counter, daemon=True) for counter in self.hall.counters
        ]

    def begin(self) -> None:
        """Open the counters."""
        for thread in self._threads:
            thread.start()

    def wait_served(self, share: float, within: float = 60.0) -> int:
        """Wait until this share of the journeys is over; return how many are."""
        return self.wait_completed(share * self.journeys, within)

    def wait_completed(self, number: float, within: float = 60.0) -> int:
        """Wait until so many journeys are over; return how many are."""
        eventually(lambda: self._errors or len(self.completed) >= number, within=within, every=0.01)
        self.raise_error()
        return len(self.completed)

    def end(self, within: float = 120.0) -> None:
        """Wait until everybody was served; raises what went wrong at a counter."""
        for thread in self._threads:
            thread.join(within)
        self.raise_error()
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        assert not stuck, f"counters still busy after {within:g} s: {stuck}; {len(self.completed)} journeys done"
        if self.detours:
            self._serve_further_legs()

    def _serve_further_legs(self) -> None:
        """Who came for several services waits for the next one; sooner somebody else would have nobody to call."""
        with closing(self.platform.client(f"officer@{self.hall.regency}", ledger=self.ledger)) as staff:
            while (called := staff.command(f"{self.hall.path}/counters/{self.hall.counters[0]}/call-next")).status == 200:
                self._serve(staff, called.body["id"])

    @property
    def under_way(self) -> bool:
        """Whether anybody is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def numbers(self) -> list[str]:
        """Ids of all tickets of which somebody was told: taken, for each further service, and by transfer."""
        taken = [answer.body for answer in self.issued]
        return [*(one["id"] for ticket in taken for one in (ticket, *(ticket.get("legs") or ()))), *self.transferred.values()]

    def abort(self) -> None:
        """Send everybody home after the journey under way."""
        self._closing.set()

    def raise_error(self) -> None:
        """Raise the first thing that went wrong at a counter."""
        if self._errors:
            raise self._errors[0]

    def _work(self, counter: str, officer: str) -> None:
        citizen = self.platform.client(ledger=self.ledger)
        staff = self.platform.client(officer, ledger=self.ledger)
        try:
            while (number := next(self._numbers)) < self.journeys and not self._closing.is_set():
                self._journey(citizen, staff, counter, WAYS[number % len(WAYS)] if self.detours else "plain")
        except BaseException as error:  # noqa: BLE001 - raised again by end()
            self._errors.append(error)
            self.abort()
        finally:
            citizen.close()
            staff.close()

    def _journey(self, citizen: Client, staff: Client, counter: str, way: str) -> None:
        """Take a number and call; what was meant to happen to it befalls whoever is next."""
        service, *further = random.sample(self.hall.services, 2 if way == "two services" else 1)
        issued = take_number(citizen, self.hall, service, random.choice(PRIORITY_CLASSES), further)
        self.issued.append(issued)
        if self.letter_every and len(self.issued) % self.letter_every == 0:
            self._subscribe(issued.body)
        called = self._call(staff, counter)
        if way == "returned":
            self._act(staff, called, "return", "waiting", {"position": "first"})
        elif way == "missed" and not was_missed(called):
            self._act(staff, called, "no-show", "no_show")
            self._act(staff, called, "rejoin", "waiting")
        elif way == "transferred":
            self._act(staff, called, "start", "serving")
            to = next(each for each in self.hall.services if each != called["service"])
            self.transferred[called["id"]] = self._act(staff, called, "transfer", "waiting", {"service": to})["id"]
        elif way == "held":
            self._act(staff, called, "hold", "on_hold")
            self._act(staff, called, "priority", "on_hold", {"priority_class": "elderly"})
            self._act(staff, called, "resume", "called")
            return self._serve(staff, called["id"])
        else:
            return self._serve(staff, called["id"])
        # One more waits now, who is called by us or, if somebody else was quicker, has left us another one.
        return self._serve(staff, self._call(staff, counter)["id"])

    def _call(self, staff: Client, counter: str) -> dict[str, Any]:
        called = staff.command(f"{self.hall.path}/counters/{counter}/call-next")
        assert called.status == 200, f"nobody waits although a number was just issued: {called}"
        ticket: dict[str, Any] = called.body
        return ticket

    def _act(self, staff: Client, ticket: dict[str, Any], action: str, then: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
        done = staff.command(f"{self.hall.path}/tickets/{ticket['id']}/{action}", facts)
        assert (done.status, done.body.get("status")) == (200, then), done
        changed: dict[str, Any] = done.body
        return changed

    def _serve(self, staff: Client, ticket: str) -> None:
        serve(staff, self.hall, ticket)
        self.completed.append(ticket)

    def _subscribe(self, ticket: dict[str, Any]) -> None:
        """Not in the ledger, which is of commands that change tickets."""
        address = f"{ticket['id']}@example.id"
        wish = {"ticket": ticket["id"], "email": address, "kinds": ["completed"]}
        made = self.platform.client().command(f"{self.hall.path}/subscriptions", wish, headers={"Ticket-Token": ticket["token"]})
        if made.code == "ticket_state_conflict":
            return  # another counter was so quick that it has ended
        assert made.status == 201, made
        self.subscribed[ticket["id"]] = address


def take_number(client: Client, hall: Hall, service: str, priority_class: str | None = None, further: Sequence[str] = ()) -> Answer:
    """Take a number over the web, or one for each of several services."""
    body: dict[str, Any] = {"site": hall.site, "service": service, "channel": "web", "priority_class": priority_class}
    if further:
        body["then"] = [*further]
    answer = client.command(f"{hall.path}/tickets", body)
    assert answer.status == 201, answer
    return answer


def serve(client: Client, hall: Hall, ticket: str, outcome: str = "done") -> Answer:
    """Start and complete a called ticket."""
    started = client.command(f"{hall.path}/tickets/{ticket}/start")
    assert (started.status, started.body.get("status")) == (200, "serving"), started
    completed = client.command(f"{hall.path}/tickets/{ticket}/complete", {"outcome": outcome})
    assert (completed.status, completed.body.get("status")) == (200, "completed"), completed
    return completed


def serve_all(client: Client, hall: Hall, counter: str) -> list[str]:
    """Call and serve at a counter until nobody waits; return the numbers in the order of calling."""
    numbers = []
    while (called := client.command(f"{hall.path}/counters/{counter}/call-next")).status == 200:
        serve(client, hall, called.body["id"])
        numbers.append(called.body["number"])
    assert called.status == 204, called
    return numbers


def empty(platform: WayIn, halls: Sequence[Hall]) -> None:
    """Serve whoever an earlier test left waiting."""
    for hall in halls:
        client = platform.client(f"officer@{hall.regency}")
        for counter in hall.counters:
            serve_all(client, hall, counter)
