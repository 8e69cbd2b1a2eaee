"""A site with two agencies, counters of each and one for both, and everybody who works there."""

from __future__ import annotations

import itertools

from services.chassis.context import Actor
from services.ticketing import domain
from tests.integration.ticketing.mall import Mall

AGENCIES = {"A": ("KTP", "KK"), "B": ("INF",)}
PRIORITIES = (None, None, None, "elderly", "disability")

_names = itertools.count(1)


class Building:
    """Counter 1 is of the first agency, counter 2 of the other one, counter 3 is shared.

    The information desk of the second agency serves nobody whose identity card is not done, if that is wanted too.
    """

    def __init__(self, mall: Mall) -> None:
        self.mall = mall
        name = f"{next(_names):04d}"
        self.codes = {prefix: f"{prefix}{name}" for prefix in AGENCIES}
        self.services = [service for prefix, codes in AGENCIES.items() for service in mall.agency(self.codes[prefix], prefix, *codes)]
        self.card, self.family, self.information = self.services
        self.prerequisites = {self.information: {self.card}}
        mall.service(self.codes["B"], "INF", prerequisites=[self.card])
        own = {prefix: [service for service in self.services if domain.agency_of(service) == self.codes[prefix]] for prefix in AGENCIES}
        self.served = {
            mall.counter(1, *own["A"], agency=self.codes["A"]): own["A"],
            mall.counter(2, *own["B"], agency=self.codes["B"]): own["B"],
            mall.counter(3, *self.services): self.services,
        }
        """Services by counter."""
        self.counters = list(self.served)
        self.owners = dict(zip(self.counters, (self.codes["A"], self.codes["B"], None), strict=True))
        self.supervisor = self._staff("dewi", "supervisor")
        self.officers = [
            self._staff("ana", "officer"),
            self._staff("budi", "officer", self.codes["A"]),
            self._staff("citra", "officer", self.codes["B"]),
            self.supervisor,
        ]

    def _staff(self, name: str, role: str, *agencies: str) -> Actor:
        return Actor(f"{name}-{self.mall.site}@{self.mall.regency}", role, self.mall.regency, agencies or None)

    def may_call(self, actor: Actor, counter: str) -> list[str] | None:
        """Services for which somebody may call to a counter; `None`: the counter is none of theirs."""
        if actor.agencies is None:
            return self.served[counter]
        own = [service for service in self.served[counter] if domain.agency_of(service) in actor.agencies]
        return own if own and self.owners[counter] in (None, *actor.agencies) else None
