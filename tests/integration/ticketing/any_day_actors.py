"""How actors act on any day at a site: one thing at a time, compared with what a model of the rules expects of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from services.contracts.problems import problem
from services.ticketing import domain
from tests.integration.ticketing.building import Building
from tests.integration.ticketing.mall import Mall, SettableClock
from tests.integration.ticketing.predicted import Expected, Predicted

STEPS = {
    "recall": "recall",
    "start": "start",
    "complete": "complete",
    "no_show": "no-show",
    "cancel": "cancel",
    "hold": "hold",
    "undo_call": "undo-call",
    "send_back": "return",
    "rejoin": "rejoin",
    "check_in": "check-in",
}
"""Method of the site under test: command of the state table."""

TO_THE_QUEUE = {"undo_call", "send_back", "rejoin", "check_in"}
"""What is refused once midnight has ended the queue."""

POLICIES = st.fixed_dictionaries(
    {
        "call_while_serving": st.booleans(),
        "max_recalls": st.integers(0, 2),
        "recall_gap_seconds": st.sampled_from((0, 30)),
        "undo_call_seconds": st.sampled_from((30, 60)),
        "max_rejoins": st.integers(0, 2),
        "regular_per_priority": st.sampled_from((0, 0, 1, 2)),
        "ageing_cap_minutes": st.sampled_from((None, 5, 15)),
    }
)

WHERE, WHAT = st.integers(0, 2), st.integers(0, 2)
WHO = st.sampled_from((0, 0, 0, 0, 1, 2, 3))
"""Mostly the officer of all agencies, so that more is done than refused."""

RARELY = st.integers(0, 7).map(lambda number: number == 0)


def act(*commands: str, often: int = 1, **arguments: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Mark what somebody may do, with strategies for its arguments.

    With `commands` of the state table it is done to a ticket, mostly to one for which one of them is meant.

    Not as rules of hypothesis, of which most are switched off in each run: too little would happen to any ticket.
    """

    def marked(method: Any) -> Any:
        method.commands, method.often, method.arguments = commands, often, st.fixed_dictionaries(arguments)
        return method

    return marked


class Actors(RuleBasedStateMachine):
    """The site, its model, and how an act is compared with what the model expects."""

    mall: Mall
    clock: SettableClock
    building: Building
    model: Predicted | None = None

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[tuple[date, str], int] = {}
        self.last_turn = 0
        self.shown: list[dict[str, Any]] = []
        """The tickets as they were shown after the last step."""

    @precondition(lambda machine: machine.model is not None)
    @rule(data=st.data())
    def somebody(self, data: st.DataObject) -> None:
        """Do any one thing, mostly one that somebody could mean now."""
        acts = {name: getattr(type(self), name) for name in dir(type(self)) if hasattr(getattr(type(self), name), "often")}
        meant = data.draw(st.sampled_from((True, True, True, True, False)), label="meant") or not self.expected.tickets
        possible = [name for name, method in acts.items() for _ in range(method.often) if not meant or self.fits(*method.commands)]
        name = data.draw(st.sampled_from(possible), label="act")
        arguments = data.draw(acts[name].arguments, label="with")
        if acts[name].commands:
            arguments["chosen"] = data.draw(st.sampled_from(self.fitting(*acts[name].commands) if meant else self.expected.tickets))
        getattr(self, name)(**arguments)

    def fitting(self, *commands: str) -> list[Expected]:
        """Tickets of today for one of these commands."""
        return [each for each in self.expected.tickets if each.day == self.today and any(map(each.is_for, commands))]

    def fits(self, *commands: str) -> bool:
        """Whether there is a ticket for one of these commands, where it takes one."""
        return not commands or bool(self.fitting(*commands))

    @property
    def expected(self) -> Predicted:
        assert self.model is not None
        return self.model

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def today(self) -> date:
        return domain.business_date(self.now, "Asia/Jakarta")

    def number(self, service: str) -> int:
        """The number that a ticket for this service gets now."""
        series = (self.today, domain.agency_of(service))
        self.numbers[series] = self.numbers.get(series, 0) + 1
        self.last_turn += 1
        return self.numbers[series]

    def expect(self, code: str, act: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """The act is refused with this code, which is HTTP's 409 or 403, and tells the present state of what is in its way."""
        try:
            answer = act(*arguments, **named)
        except Exception as error:
            if getattr(error, "code", None) != code:
                raise
            told = getattr(error, "details", {})
        else:
            raise AssertionError(f"{code} expected, got {answer}")
        assert problem(code).status == (403 if code in ("agency_forbidden", "role_forbidden") else 409)
        about = arguments[0] if arguments else None
        assert self.expected.tells_the_present(code, told, about["id"] if isinstance(about, dict) else about, self.today), f"{code} {told}"
