"""A simulation from signing in to the comparison with the reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deploy.simulation.agenda import Agenda
from deploy.simulation.comparison import Disagreement
from deploy.simulation.failure import SimulationError
from deploy.simulation.floor import Floor, Staff
from deploy.simulation.gateway_client import Gateway, Session
from deploy.simulation.malls import Catalogue, Mall, malls_of
from deploy.simulation.people import VISITORS_PER_DESK, visitors
from deploy.simulation.reports import Baseline, baseline, compare
from deploy.simulation.tally import DayAtSite, Played, Tally

WORKERS = 12
"""Requests under way at once; more would only wait in the gateway."""

LOOK_EVERY_SECONDS = 0.2

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What an operator wants played."""

    url: str
    regencies: tuple[str, ...]
    days: int
    minutes: float | None
    """Real minutes after which no more numbers are taken; days follow each other until then."""
    speed: float | None
    seed: int
    journeys: int | None
    """Visitors per site and day; `None`: by how many counters it has."""
    per_hour: float | None
    """Instead: numbers per site and hour in which they are taken."""
    officer: str
    kiosk: str
    password: str
    report_seconds: float

    def visitors_at(self, mall: Mall) -> int:
        """Return how many come to a mall in a day."""
        if self.journeys is not None:
            return self.journeys
        if self.per_hour is not None:
            return max(1, round(self.per_hour * (mall.hours.last_number - mall.hours.doors) / 60))
        return VISITORS_PER_DESK * len(mall.desks)


@dataclass
class Outcome:
    """What was played, and where the reports disagree with it."""

    played: dict[DayAtSite, Played] = field(default_factory=dict)
    disagreements: dict[DayAtSite, list[Disagreement]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    """Malls at which a day could not be played to its end, and why."""
    repeats: int = 0
    seconds: float = 0.0
    speed: float | None = None
    """How many times faster than the real day; `None`: as fast as it went."""

    @property
    def agreed(self) -> bool:
        """Whether all was played, and every figure is as it was played."""
        return not self.troubles and not any(self.disagreements.values())


class Simulation:
    """Plays what an operator wishes. Raises `SimulationError` when it cannot begin."""

    def __init__(self, wishes: Wishes, tell: Tell) -> None:
        self._wishes, self._tell = wishes, tell
        self._gateway = Gateway(wishes.url, WORKERS)
        self._tally = Tally()
        self._agenda: Agenda | None = None
        self._stopped = False
        listed = self._gateway.check()
        unknown = [regency for regency in wishes.regencies if regency not in listed]
        if unknown:
            raise SimulationError(f"{wishes.url} has no regency {', '.join(unknown)}; it lists {', '.join(listed) or 'none'}.")
        self._sessions: dict[str, Session] = {}
        self._staff = {regency: self._signed_in(regency) for regency in wishes.regencies or listed}
        self.malls = self._found()

    @property
    def expected(self) -> int:
        """How many numbers are to be taken, if nothing stops it."""
        return self._wishes.days * sum(self._wishes.visitors_at(mall) for mall in self.malls)

    @property
    def ended(self) -> int:
        """How many of them have come to their end."""
        return self._tally.ended

    def stop(self) -> None:
        """Take no more numbers and call nobody; who stands at a counter is served at once."""
        self._stopped = True
        if self._agenda is not None:
            self._agenda.stop()

    def before(self) -> Baseline:
        """Return what the reports say before anything is played."""
        return baseline(self._officers(), self.malls, self._wishes.report_seconds)

    def play(self, look: Callable[[], None]) -> Outcome:
        """Play all days; `look` is called often, and may raise `KeyboardInterrupt`, which stops playing politely."""
        began, outcome = time.monotonic(), Outcome(speed=self._wishes.speed)
        end = None if self._wishes.minutes is None else began + self._wishes.minutes * 60
        day = 0
        while not self._stopped and (day < self._wishes.days if end is None else time.monotonic() < end):
            outcome.troubles += self._play_day(day, end, look)
            day += 1
            if outcome.troubles:
                break
        outcome.played, outcome.repeats, outcome.seconds = self._tally.played(), self._gateway.repeats, time.monotonic() - began
        return outcome

    def compare(self, outcome: Outcome, before: Baseline) -> None:
        """Compare with the reports, once they have caught up."""
        outcome.disagreements = compare(self._officers(), self.malls, outcome.played, before, self._wishes.report_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._gateway.close()

    def _play_day(self, day: int, end: float | None, look: Callable[[], None]) -> list[str]:
        agenda = self._agenda = Agenda(min(mall.hours.doors for mall in self.malls), self._wishes.speed)
        floors = []
        for mall in self.malls:
            people = visitors(mall, self._wishes.visitors_at(mall), self._wishes.seed, day)
            floors.append(Floor(mall, people, self._staff[mall.regency], agenda, self._tally))
            floors[-1].open()
        agenda.start(WORKERS)
        while True:
            try:
                if agenda.done(LOOK_EVERY_SECONDS):
                    break
                look()
                if end is not None and time.monotonic() >= end:
                    self.stop()
            except KeyboardInterrupt:
                if self._stopped:
                    raise  # asked twice
                self._tell("Stopping: whoever stands at a counter is served, then the summary follows. Ctrl-C again ends at once.")
                self.stop()
        look()
        return [floor.trouble for floor in floors if floor.trouble is not None]

    def _officers(self) -> dict[str, Session]:
        return {regency: staff.officer for regency, staff in self._staff.items()}

    def _signed_in(self, regency: str) -> Staff:
        officer = self._session(self._wishes.officer, regency)
        try:
            kiosk = self._session(self._wishes.kiosk, regency)
        except SimulationError:
            self._tell(f"{self._wishes.kiosk} of {regency} cannot sign in: the front desk issues the kiosk's numbers.")
            kiosk = None
        return Staff(self._gateway, officer, kiosk)

    def _session(self, account: str, regency: str) -> Session:
        """Sign in as the regency's account of this name, or once for all as the operator of the platform."""
        name = account if "@" in account else f"{account}@{regency}"
        if name not in self._sessions:
            self._sessions[name] = Session(self._gateway, name, self._wishes.password)
        return self._sessions[name]

    def _found(self) -> list[Mall]:
        malls = []
        for regency, staff in self._staff.items():
            found, left_out = malls_of(
                Catalogue(
                    regency, *(_pages(staff.officer, f"/v1/{regency}/{name}") for name in ("sites", "agencies", "services", "counters"))
                )
            )
            malls += found
            for reason in left_out:
                self._tell(f"Left out: {reason}.")
        if not malls:
            raise SimulationError("There is no site at which a day could be played.")
        return malls


def _pages(session: Session, path: str) -> tuple[dict[str, object], ...]:
    items: list[dict[str, object]] = []
    cursor = ""
    while True:
        page = session.get(f"{path}?limit=200{cursor}")
        items += page["items"]
        if page["next_cursor"] is None:
            return tuple(items)
        cursor = f"&cursor={page['next_cursor']}"


def stage(malls: Sequence[Mall], wishes: Wishes) -> str:
    """Return in a line what is about to be played."""
    desks = sum(len(mall.desks) for mall in malls)
    speed = "as fast as it goes" if wishes.speed is None else f"{wishes.speed:g} times faster than the real day"
    long = f"{wishes.minutes:g} minutes" if wishes.minutes is not None else "1 day" if wishes.days == 1 else f"{wishes.days} days"
    sites = "1 site" if len(malls) == 1 else f"{len(malls)} sites"
    return (
        f"Playing {long} at {sites} with {desks} counters, {speed}; --seed {wishes.seed} plays the same people again.\n"
        f"Watch it at {wishes.url.rstrip('/')}/boards"
    )
