"""Any day at a site: commands in any order by several actors, one after the other, each as a model of the rules says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, run_state_machine_as_test

from tests.integration.ticketing.any_day_actors import POLICIES, WHAT
from tests.integration.ticketing.any_day_rules import Calling, Days, Serving, Staffing
from tests.integration.ticketing.books import check_books, check_counters_now, check_turns, check_visits_now
from tests.integration.ticketing.building import PRIORITIES, Building
from tests.integration.ticketing.mall import MORNING, POLICY, Mall
from tests.integration.ticketing.predicted import Predicted

pytestmark = pytest.mark.integration


class AnyDay(Serving, Calling, Staffing, Days):
    """Does random things and predicts what each of them answers."""

    open_mall: Callable[..., Mall]

    @initialize(policy=POLICIES, queue=st.lists(st.tuples(WHAT, st.sampled_from(PRIORITIES)), min_size=3, max_size=9))
    def opens_the_building(self, policy: dict[str, Any], queue: list[tuple[int, str | None]]) -> None:
        self.clock.instant = MORNING
        self.mall = self.open_mall(policy={**POLICY, **policy})
        self.building = Building(self.mall)
        self.model = Predicted(self.building, {**POLICY, **policy})
        for service, priority_class in queue:  # who has been waiting since before the doors were opened
            self.takes_numbers([service], 1, priority_class, print=False)

    @invariant()
    def everything_is_as_expected(self) -> None:
        if self.model is None:
            return
        self.shown = self.mall.tickets()
        assert [ticket["id"] for ticket in self.shown] == [each.id for each in self.model.tickets]
        for each, ticket in zip(self.model.tickets, self.shown, strict=True):
            found = tuple(ticket[name] for name in ("status", "version", "counter", "visit", "leg", "recalls"))
            assert found == (each.status, each.version, each.counter, each.visit, each.leg, each.recalls)
        shown = {ticket["id"]: ticket for ticket in self.shown}
        for service in self.building.services:
            waiting = self.model.waiting([service], self.today)
            places = {each.id: shown[each.id]["position"] for each in waiting}
            assert sorted(places.values()) == list(range(1, len(waiting) + 1)), "everybody has a place of their own"
            assert all(self.model.may_stand_at(each, places[each.id]) for each in waiting)
        check_visits_now(self.shown)
        check_counters_now(self.shown)
        check_turns(self.shown, {each.id: each.order for each in self.model.tickets})

    def teardown(self) -> None:
        if self.model is not None:
            check_books(self.mall, called_while_serving=self.model.called_while_serving)


def test_one_after_the_other_as_the_model_says(new_mall, clock):
    class HereAndNow(AnyDay):
        def __init__(self) -> None:
            super().__init__()
            self.open_mall, self.clock = new_mall, clock

    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    # Making a failing day smaller takes minutes with a real database: add Phase.shrink when there is one to look at.
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    options = settings(max_examples=30, stateful_step_count=50, phases=phases, suppress_health_check=checks)
    run_state_machine_as_test(HereAndNow, settings=options)
