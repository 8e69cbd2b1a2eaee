"""A site under test: its catalogue, its people, and the use cases as the service calls them."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.chassis import commands
from services.chassis.clock import Clock
from services.chassis.context import ANONYMOUS, Actor, CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.entrypoints import authorise
from services.chassis.events import Envelope, read_log
from services.contracts import staffing
from services.contracts import ticketing as contracts
from services.contracts.authorisation import rule_of
from services.contracts.events import checked_event
from services.contracts.hours import GetSiteHours, SiteHours
from services.ticketing import domain, usecases

SECRET = "a-secret-of-the-tests-32-characters"
MORNING = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)
"""Wednesday, 08:00 in western Indonesia."""

POLICY = {
    "call_while_serving": False,
    "max_recalls": 3,
    "recall_gap_seconds": 0,
    "undo_call_seconds": 60,
    "max_rejoins": 1,
    "regular_per_priority": 0,
    "ageing_cap_minutes": None,
    "one_ticket_per_person": True,
    "personal_data_days": 30,
}

READS = (
    *("get_ticket", "get_desk", "get_my_counter", "list_tickets", "get_site_hours"),
    *("get_person", "get_breach", "list_breaches"),
)
OF_ONESELF = ("get_person", "export_person", "withdraw_consent", "erase_person")
WITH_SECRET = ("cancel_ticket", "confirm_printing", "get_ticket", "rejoin_ticket", *OF_ONESELF)
WITH_KEYS = ("issue_ticket", "get_person", "reveal_person", "find_persons", "export_person", "export_persons", "erase_persons")

_sites = itertools.count(1)
_versions = itertools.count(1)


class SkewedClock:
    """One replica's clock after the other's: true to two seconds, now ahead and now behind."""

    def __init__(self, instant: datetime, seed: int = 0) -> None:
        self.instant = instant
        self._random = random.Random(seed)

    def now(self) -> datetime:
        return self.instant + timedelta(seconds=self._random.uniform(-2, 2))


class SettableClock:
    """Shows what it was set to."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def pass_by(self, **delta: float) -> None:
        self.instant += timedelta(**delta)


class Mall:
    """One site, its catalogue, and the use cases as the service calls them: by contract, in a unit of work each."""

    person_keys: usecases.PersonKeys | None = None
    ktp: str
    kk: str
    first: str

    def __init__(self, database: Database, clock: Clock, regency: str, **site: Any) -> None:
        self.database, self.clock, self.regency = database, clock, regency
        self.site = site.pop("id", f"mall-{next(_sites)}")
        self._sequences = itertools.count(1)
        self.site_facts = {
            "id": self.site,
            "name": "MPP Uji",
            "address": None,
            "timezone": "Asia/Jakarta",
            "stage": "inaugurated",
            "accepting": True,
            "enforce_hours": False,
            "channels": ["kiosk", "web", "front_desk"],
            "hours": {},
            "policy": {**POLICY},
            "milestones": [],
            "agreements": [],
        }
        self.open_site(**site)

    # --- catalogue

    def publish(self, kind: str, entity: dict[str, Any], version: int | None = None) -> None:
        """Tell ticketing of an entity as the catalogue does."""
        whole = {**entity, "version": version or next(_versions)}
        with self.database.regency_work(self.regency) as work:
            usecases.apply_catalog_event(work, self.envelope(f"catalog.{kind}_changed", {kind: whole}))

    def envelope(self, event_type: str, data: Any) -> Envelope:
        sequence = next(self._sequences)
        source = f"/regencies/{self.regency}/catalog"
        return Envelope(str(uuid.uuid4()), source, event_type, "x", self.clock.now(), self.regency, sequence, data)

    def open_site(self, **changes: Any) -> None:
        self.site_facts.update(changes)
        self.publish("site", self.site_facts)

    def agency(self, code: str, prefix: str, *services: str, sites: tuple[str, ...] = ()) -> list[str]:
        """Add an agency with services; answers their ids."""
        presences = [{"site": site, "prefix": prefix} for site in (self.site, *sites)]
        self.publish("agency", {"id": code, "name": f"Dinas {code}", "kind": "regency", "presences": presences})
        for service in services:
            self.service(code, service)
        return [f"{code}-{service}" for service in services]

    def service(self, agency: str, code: str, **changes: Any) -> None:
        facts = {"name": code, "requirements": [], "default": False, "promised_minutes": None, "active": True}
        self.publish("service", {"id": f"{agency}-{code}", "agency": agency, "code": code, **facts, **changes})

    def counter(self, number: int, *served: str, agency: str | None = None, active: bool = True) -> str:
        """Add a counter; without an agency it is shared."""
        identifier = f"{self.site}-{number:02d}"
        facts = {"site": self.site, "number": number, "name": f"Loket {number}", "agency": agency, "services": list(served)}
        self.publish("counter", {"id": identifier, **facts, "active": active})
        return identifier

    def hours(self, identifier: str, since: str, until: str | None = None, **facts: Any) -> None:
        """Add or change an entry of special hours: closed, for the whole regency, unless said otherwise."""
        usual: dict[str, Any] = {"name": identifier, "kind": "closure", "site": None, "agency": None, "hours": {}, "active": True}
        self.publish("hours", {"id": identifier, "from": since, "to": until or since, **usual, **facts})

    def site_hours(self, **asked_for: str) -> dict[str, Any]:
        """The hours of the site as ticketing answers them."""
        answer: dict[str, Any] = self.call("get_site_hours", GetSiteHours, CITIZEN, site=self.site, **asked_for)
        assert SiteHours().load(answer) == answer
        return answer

    # --- people

    def actor(self, role: str, *agencies: str) -> Actor:
        return Actor(f"{role}@{self.regency}", role, self.regency, agencies or None)

    # --- calls

    def call(self, method: str, contract: type, actor: Actor | None = None, command_id: str | None = None, **payload: Any) -> Any:
        """One call, as the service's entrypoint does it; the events it emits must fit their contracts."""
        data = contract().load(payload)
        context = CallContext(self.regency, actor or self.actor("officer"), command_id)
        authorise(rule_of("ticketing", method), context, data)
        read_only = method in READS
        with self.database.regency_work(self.regency, context=context, read_only=read_only) as work:
            answer = commands.once(work, method, data, lambda: self._use(method, work, data))
            for event in work.emitted:
                assert checked_event(event.type, event.data) == event.data
                assert_nothing_private(event.data)
        assert_nothing_private(answer)
        return answer

    def _use(self, method: str, work: UnitOfWork, data: dict[str, Any]) -> Any:
        secret = (SECRET,) if method in WITH_SECRET else ()
        keys = (self.person_keys,) if method in WITH_KEYS else ()
        return getattr(usecases, method)(work, data, *secret, *keys)

    def take(self, service: str, priority_class: str | None = None, actor: Actor | None = None, **more: Any) -> dict[str, Any]:
        """Take a number at the front desk."""
        payload = {"site": self.site, "service": service, "priority_class": priority_class, "channel": "front_desk", **more}
        command_id = payload.pop("command_id", None)
        issued = self.call("issue_ticket", contracts.IssueTicket, actor or self.actor("front_desk"), command_id, **payload)
        token = domain.ticket_token(SECRET, issued["id"])
        assert contracts.IssuedTicket().load({**issued, "token": token}) == {**issued, "token": token}
        return issued if issued["legs"] else {name: value for name, value in issued.items() if name != "legs"}

    def call_next(self, counter: str, actor: Actor | None = None, **more: Any) -> dict[str, Any] | None:
        return as_ticket(self.call("call_next", contracts.CallNext, actor, counter=counter, **more))

    def call_ticket(self, ticket: dict[str, Any], counter: str, actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("call_ticket", contracts.CallTicket, actor, id=ticket["id"], counter=counter))

    def recall(self, ticket: dict[str, Any], actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("recall_ticket", contracts.RecallTicket, actor, id=ticket["id"]))

    def start(self, ticket: dict[str, Any], actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("start_ticket", contracts.StartTicket, actor, id=ticket["id"]))

    def complete(self, ticket: dict[str, Any], actor: Actor | None = None, **outcome: str) -> dict[str, Any]:
        return as_ticket(self.call("complete_ticket", contracts.CompleteTicket, actor, id=ticket["id"], **outcome))

    def keeper(self) -> Actor:
        """The officer who usually works at this site's counters."""
        return Actor(f"officer-{self.site}@{self.regency}", "officer", self.regency, None)

    def open_counter(self, counter: str, actor: Actor | None = None, **more: Any) -> dict[str, Any]:
        return as_session(self.call("open_counter", staffing.OpenCounter, actor or self.keeper(), counter=counter, **more))

    def pause_counter(self, counter: str, actor: Actor | None = None, **more: Any) -> dict[str, Any]:
        return as_session(self.call("pause_counter", staffing.PauseCounter, actor or self.keeper(), counter=counter, **more))

    def close_counter(self, counter: str, actor: Actor | None = None) -> dict[str, Any]:
        return as_session(self.call("close_counter", staffing.CloseCounter, actor or self.keeper(), counter=counter))

    def desk(self, actor: Actor | None = None, **counter: str) -> dict[str, Any] | None:
        method, contract = ("get_desk", staffing.GetDesk) if counter else ("get_my_counter", staffing.GetMyCounter)
        desk: dict[str, Any] | None = self.call(method, contract, actor or self.keeper(), **counter)
        assert desk is None or staffing.Desk().load(desk) == desk
        return desk

    def check_in(self, ticket: dict[str, Any], actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("check_in", contracts.CheckIn, actor, id=ticket["id"]))

    def undo_call(self, ticket: dict[str, Any], actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("undo_call", contracts.UndoCall, actor, id=ticket["id"]))

    def hold(self, ticket: dict[str, Any], actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("hold_ticket", contracts.HoldTicket, actor, id=ticket["id"]))

    def resume(self, ticket: dict[str, Any], actor: Actor | None = None, **counter: str) -> dict[str, Any]:
        return as_ticket(self.call("resume_ticket", contracts.ResumeTicket, actor, id=ticket["id"], **counter))

    def send_back(self, ticket: dict[str, Any], actor: Actor | None = None, position: str = "last") -> dict[str, Any]:
        return as_ticket(self.call("return_ticket", contracts.ReturnTicket, actor, id=ticket["id"], position=position))

    def transfer(self, ticket: dict[str, Any], service: str, actor: Actor | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("transfer_ticket", contracts.TransferTicket, actor, id=ticket["id"], service=service)
        with_token = {**answer, "token": domain.ticket_token(SECRET, answer["id"])}
        assert contracts.IssuedTicket().load(with_token) == with_token
        return answer

    def rejoin(self, ticket: dict[str, Any], actor: Actor | None = None, **token: str) -> dict[str, Any]:
        return as_ticket(self.call("rejoin_ticket", contracts.RejoinTicket, actor, id=ticket["id"], **token))

    def prioritise(self, ticket: dict[str, Any], priority_class: str | None, actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("set_priority", contracts.SetPriority, actor, id=ticket["id"], priority_class=priority_class))

    def confirm(self, ticket: dict[str, Any], actor: Actor | None = None, **facts: Any) -> dict[str, Any]:
        return as_ticket(self.call("confirm_printing", contracts.ConfirmPrinting, actor, id=ticket["id"], **facts))

    def no_show(self, ticket: dict[str, Any], actor: Actor | None = None) -> dict[str, Any]:
        return as_ticket(self.call("mark_no_show", contracts.MarkNoShow, actor, id=ticket["id"]))

    def cancel(self, ticket: dict[str, Any], actor: Actor | None = None, **token: str) -> dict[str, Any]:
        return as_ticket(self.call("cancel_ticket", contracts.CancelTicket, actor, id=ticket["id"], **token))

    def get(self, ticket: dict[str, Any], actor: Actor | None = None, **token: str) -> dict[str, Any]:
        return as_ticket(self.call("get_ticket", contracts.GetTicket, actor, id=ticket["id"], **token))

    def page(self, actor: Actor | None = None, **query: Any) -> dict[str, Any]:
        page: dict[str, Any] = self.call("list_tickets", contracts.ListTickets, actor, **query)
        assert contracts.TicketPage().load(page) == page
        return page

    def tickets(self, **query: Any) -> list[dict[str, Any]]:
        """All tickets of the site, through all pages."""
        items: list[dict[str, Any]] = []
        query = {"site": self.site, "limit": 200, **query}
        while True:
            page = self.page(None, **query)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]

    def events(self) -> list[Envelope]:
        """The site's stream from its beginning."""
        with self.database.regency_work(self.regency) as work:
            return read_log(work, f"/regencies/{self.regency}/ticketing/sites/{self.site}", 0, 100_000)


CITIZEN = ANONYMOUS


def code_of(outcome: Any) -> str:
    """Code of a refusal that a thread came back with."""
    code = getattr(outcome, "code", None)
    assert isinstance(code, str), outcome
    return code


def as_session(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, which fits its contract to the letter."""
    assert staffing.CounterSession().load(answer) == answer
    return answer


def as_ticket(answer: Any) -> Any:
    """The answer, which fits its contract to the letter."""
    assert answer is None or contracts.Ticket().load(answer) == answer
    return answer


def assert_nothing_private(value: Any) -> None:
    """Neither the reason for priority nor who did something is in an answer or event."""
    text = json.dumps(value)
    for word in ("priority_class", '"actor"', *contracts.PRIORITY_CLASSES, "officer@", "front_desk@"):
        assert word not in text


def refusal(act: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[str, dict[str, Any]]:
    """Code and details of a refusal."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  (its code is what is looked at)
        act(*arguments, **named)
    code = getattr(caught.value, "code", None)
    assert isinstance(code, str), caught.value
    return code, getattr(caught.value, "details", {})


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Do something in so many threads that begin at the same moment; answers or exceptions, by number."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait(10)
        try:
            return act(number)
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return as soon as the condition holds."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it never came true"
        pause.wait(0.002)


def overtaken(mall: Mall, first: Callable[[UnitOfWork], Any], second: Callable[[], Any], actor: Actor | None = None) -> Any:
    """What comes of `second` when it begins before `first` commits: its answer, or its exception.

    `first` runs in a unit of work that is committed when `second` waits for one of its locks, or has ended without.
    """

    def outcome() -> Any:
        try:
            return second()
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            return error

    with ThreadPoolExecutor(1) as pool:
        context = CallContext(mall.regency, actor or mall.actor("officer"))
        with mall.database.regency_work(mall.regency, context=context) as work:
            first(work)
            work.flush()
            other = pool.submit(outcome)
            wait_until(lambda: other.done() or _somebody_waits(mall.database))
        return other.result(10)


def _somebody_waits(database: Database) -> bool:
    with database.platform_work() as work:
        return bool(work.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())
