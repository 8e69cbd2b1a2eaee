"""One day at one mall: visitors, counters, and what they do with each other over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from deploy.simulation.agenda import Agenda
from deploy.simulation.failure import SimulationError
from deploy.simulation.gateway_client import Answer, Gateway, Session, code_of, expect
from deploy.simulation.malls import Desk, Mall
from deploy.simulation.people import Visitor, stranger
from deploy.simulation.tally import Tally

Ticket = dict[str, Any]

MOST_RECALLS = 2
"""An officer calls again so often, or as often as the site allows, and then goes on."""

BETWEEN_CALLS = 1.0
BETWEEN_VISITORS = 0.3


class Staff:
    """Who acts for a regency: an officer, and the kiosk; without a kiosk's account citizens act without one."""

    def __init__(self, gateway: Gateway, officer: Session, kiosk: Session | None) -> None:
        self.gateway, self.officer, self.kiosk = gateway, officer, kiosk

    def take_number(self, path: str, body: dict[str, Any]) -> Answer:
        """Issue a number over its channel; where the kiosk has no account the front desk does it."""
        if body["channel"] == "web":
            return self.gateway.send("POST", path, body)
        if body["channel"] == "kiosk" and self.kiosk is not None:
            return self.kiosk.command(path, body)
        return self.officer.command(path, body)

    def give_back(self, path: str, token: str) -> Answer:
        """Cancel as the citizen who holds the ticket's token."""
        return self.gateway.send("POST", path, headers={"Ticket-Token": token})

    def answer_survey(self, path: str, body: dict[str, Any]) -> Answer:
        """Answer the survey, at the device at the exit where there is one."""
        return self.gateway.send("POST", path, body) if self.kiosk is None else self.kiosk.command(path, body)


class Floor:
    """A day at a mall. What the gateway refuses ends the day of this mall only; `trouble` says why."""

    def __init__(self, mall: Mall, people: Sequence[Visitor], staff: Staff, agenda: Agenda, tally: Tally) -> None:
        self._mall, self._people, self._staff, self._agenda, self._tally = mall, people, staff, agenda, tally
        self.trouble: str | None = None
        self._state = threading.Condition()
        self._idle: set[Desk] = set()
        self._arrived = 0
        self._arriving: set[int] = set()
        self._visitors: dict[str, tuple[Visitor, str]] = {}
        """By ticket: who holds it, and its token."""
        self._second: dict[str, str] = {}
        """By ticket: the visit's second one, which waits when this one has ended."""

    def open(self) -> None:
        """Plan the arrivals, and the first call of each counter."""
        for index, visitor in enumerate(self._people):
            self._plan(visitor.arrives, self._arrives, index, visitor)
        for desk in self._mall.desks:
            self._plan(self._mall.hours.opening, self._calls, desk)

    def _plan(self, minute: float, act: Callable[..., None], *what: Any, must: bool = False) -> None:
        def action(at: float) -> None:
            if self.trouble is None:
                try:
                    act(at, *what)
                except SimulationError as error:
                    self.trouble = f"{self._mall.name}: {error}"

        self._agenda.add(minute, action, must=must)

    # --- visitors ---

    def _arrives(self, at: float, index: int, visitor: Visitor) -> None:
        wanted: dict[str, Any] = {
            "site": self._mall.site,
            "service": visitor.service,
            "channel": visitor.channel,
            "priority_class": visitor.priority_class,
        }
        if visitor.then is not None:
            wanted["then"] = [visitor.then]
        with self._state:
            self._arriving.add(index)
        try:
            _, ticket = expect(self._staff.take_number(f"{self._mall.path}/tickets", wanted), "Taking a number", 201)
            token = ticket.pop("token")
            legs = [self._ticket(leg["id"]) for leg in ticket.pop("legs")]
            for each in (ticket, *legs):
                self._tally.issued(self._mall.regency, each)
            with self._state:
                self._visitors[ticket["id"]] = visitor, token
                for leg in legs:
                    self._visitors[leg["id"]] = replace(visitor, scores=None), token
                    self._second[ticket["id"]] = leg["id"]
                self._arrived += 1
        finally:
            with self._state:
                self._arriving.discard(index)
                self._state.notify_all()
        if visitor.gives_back_after is not None:
            self._plan(at + visitor.gives_back_after, self._gives_back, ticket["id"], token)
        self._wake(at, ticket["service"])

    def _gives_back(self, at: float, ticket_id: str, token: str) -> None:
        """Cancel, unless called meanwhile: nobody who stands at a counter gives the number back."""
        path = f"{self._mall.path}/tickets/{ticket_id}"
        if self._staff.officer.get(path)["status"] == "waiting":
            self._changed(self._staff.give_back(f"{path}/cancel", token))

    def _answers(self, at: float, visitor: Visitor, token: str) -> None:
        answer = self._staff.answer_survey(f"{self._mall.path}/surveys", {"token": token, "scores": visitor.scores})
        _, survey = expect(answer, "Answering the survey", 201)
        self._tally.surveyed(self._mall.regency, survey, visitor.scores or {})

    def _holder(self, ticket_id: str) -> tuple[Visitor, str | None]:
        """Return who holds a ticket. A number can be called before its visitor's request is answered here: wait for those."""
        with self._state:
            pending = set(self._arriving)
            self._state.wait_for(lambda: ticket_id in self._visitors or not pending & self._arriving)
            return self._visitors.get(ticket_id) or (stranger(ticket_id), None)

    # --- counters ---

    def _wake(self, at: float, service: str) -> None:
        """Have an idle counter call when somebody came for whom it can."""
        with self._state:
            desk = next((desk for desk in self._idle if service in desk.services), None)
            if desk is None:
                return
            self._idle.discard(desk)
        self._plan(at + BETWEEN_VISITORS, self._calls, desk)

    def _calls(self, at: float, desk: Desk) -> None:
        if (working := self._mall.hours.at_work(at)) > at:
            self._plan(working, self._calls, desk)
            return
        with self._state:
            arrived = self._arrived
        answer = self._staff.officer.command(f"{self._mall.path}/counters/{desk.id}/call-next")
        if code_of(answer) == "counter_busy":
            self._takes_over(at, desk, answer[1]["ticket"])
            return
        status, ticket = expect(answer, f"Calling at {desk.id}", 200, 204)
        if status == 200:
            holder, _ = self._holder(ticket["id"])
            self._tally.changed(self._mall.regency, ticket)
            self._waits_for(at, desk, ticket, holder)
            return
        with self._state:
            if self._arrived == arrived:
                self._idle.add(desk)
                return
        self._plan(at, self._calls, desk)  # somebody came meanwhile

    def _takes_over(self, at: float, desk: Desk, ticket_id: str) -> None:
        """Go on with whom somebody has left at the counter."""
        ticket = self._ticket(ticket_id)
        holder, _ = self._holder(ticket_id)
        self._tally.changed(self._mall.regency, ticket, before=ticket["status"])
        if ticket["status"] == "serving":
            self._plan(at + holder.served_for, self._completes, desk, ticket, must=True)
        else:
            self._waits_for(at, desk, ticket, holder)

    def _waits_for(self, at: float, desk: Desk, ticket: Ticket, holder: Visitor) -> None:
        """Decide what follows a call: the visitor comes, is called again, or is given up."""
        if holder.comes_at_recall is not None and ticket["recalls"] >= holder.comes_at_recall:
            self._plan(at + holder.walks, self._starts, desk, ticket, must=True)
        elif ticket["recalls"] < min(MOST_RECALLS, self._mall.max_recalls):
            self._plan(at + BETWEEN_CALLS, self._recalls, desk, ticket, must=True)
        else:
            self._plan(at + BETWEEN_CALLS, self._gives_up, desk, ticket, must=True)

    def _recalls(self, at: float, desk: Desk, ticket: Ticket) -> None:
        if (recalled := self._step(at, desk, ticket, "recall")) is not None:
            self._waits_for(at, desk, recalled, self._holder(ticket["id"])[0])

    def _gives_up(self, at: float, desk: Desk, ticket: Ticket) -> None:
        if self._step(at, desk, ticket, "no-show") is not None:
            self._plan(at + BETWEEN_VISITORS, self._calls, desk)

    def _starts(self, at: float, desk: Desk, ticket: Ticket) -> None:
        if (serving := self._step(at, desk, ticket, "start")) is not None:
            holder, _ = self._holder(ticket["id"])
            self._plan(at + holder.served_for, self._completes, desk, serving, must=True)

    def _completes(self, at: float, desk: Desk, ticket: Ticket) -> None:
        holder, token = self._holder(ticket["id"])
        if self._step(at, desk, ticket, "complete", {"outcome": holder.outcome}) is not None:
            if holder.scores and token is not None:
                self._plan(at + holder.answers_after, self._answers, holder, token)
            self._goes_on(at, ticket["id"])
            self._plan(at + BETWEEN_VISITORS, self._calls, desk)

    def _goes_on(self, at: float, ticket_id: str) -> None:
        """A visit goes on: its second number waits now, and a counter that is idle may call it."""
        if (second := self._second.get(ticket_id)) is not None:
            ticket = self._ticket(second)
            self._tally.changed(self._mall.regency, ticket)
            with self._state:
                self._arrived += 1
            self._wake(at, ticket["service"])

    def _ticket(self, ticket_id: str) -> Ticket:
        return dict(self._staff.officer.get(f"{self._mall.path}/tickets/{ticket_id}"))

    def _step(self, at: float, desk: Desk, ticket: Ticket, name: str, body: Any = None) -> Ticket | None:
        """Do the next thing with a ticket at a counter; ``None`` when somebody else has changed it, and the counter goes on."""
        done = self._changed(self._staff.officer.command(f"{self._mall.path}/tickets/{ticket['id']}/{name}", body), ticket["id"])
        if done is None:
            self._plan(at + BETWEEN_VISITORS, self._calls, desk)
        return done

    def _changed(self, answer: Answer, ticket_id: str | None = None) -> Ticket | None:
        """Note a ticket's change; after a conflict note how it stands."""
        if code_of(answer) == "ticket_state_conflict":
            if ticket_id is not None:
                self._tally.changed(self._mall.regency, self._ticket(ticket_id))
            return None
        _, ticket = expect(answer, "A step at the counter", 200)
        self._tally.changed(self._mall.regency, ticket)
        return dict(ticket)
