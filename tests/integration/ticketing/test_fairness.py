"""Strict priority, k regular calls for each priority call, the ageing cap: the site's policy, changed while people wait."""

from __future__ import annotations

import pytest

from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import POLICY, Mall, together

pytestmark = pytest.mark.integration


def lanes(mall: Mall, counter: str, count: int) -> str:
    """The lanes of the next calls at a counter: ``P`` and ``R``."""
    found = ""
    for _ in range(count):
        called = mall.call_next(counter)
        assert called is not None
        found += called["lane"][0].upper()
        mall.complete(mall.start(called))
    return found


def fill(mall: Mall, regular: int, priority: int) -> None:
    for _ in range(regular):
        mall.take(mall.ktp)
    for _ in range(priority):
        mall.take(mall.ktp, "elderly")


def test_by_default_priority_is_always_first(mall):
    fill(mall, 3, 3)
    assert lanes(mall, mall.first, 6) == "PPPRRR"


def test_k_regular_calls_follow_each_priority_call_while_both_wait(mall):
    mall.open_site(policy={**POLICY, "regular_per_priority": 2})
    fill(mall, 5, 4)
    assert lanes(mall, mall.first, 9) == "PRRPRRPRP"


def test_each_counter_counts_its_own_calls(mall):
    mall.open_site(policy={**POLICY, "regular_per_priority": 1})
    second = mall.counter(2, mall.ktp)
    fill(mall, 4, 4)
    assert (lanes(mall, mall.first, 3), lanes(mall, second, 3), lanes(mall, mall.first, 2)) == ("PRP", "PRP", "RR")


def test_a_new_policy_counts_from_the_next_call_on(mall):
    fill(mall, 4, 4)
    assert lanes(mall, mall.first, 2) == "PP"
    mall.open_site(policy={**POLICY, "regular_per_priority": 1})
    assert lanes(mall, mall.first, 3) == "PRP"
    mall.open_site(policy=POLICY)
    assert lanes(mall, mall.first, 3) == "RRR"


def test_who_has_waited_as_long_as_the_cap_is_overtaken_by_nobody(mall, clock):
    mall.open_site(policy={**POLICY, "ageing_cap_minutes": 45})
    fill(mall, 2, 0)
    clock.pass_by(minutes=44)
    fill(mall, 0, 3)
    assert lanes(mall, mall.first, 1) == "P"
    clock.pass_by(minutes=1, seconds=1)
    assert lanes(mall, mall.first, 4) == "RRPP"


@pytest.mark.parametrize("k", [0, 1, 3])
def test_positions_say_in_which_order_they_will_be_called(mall, k):
    mall.open_site(policy={**POLICY, "regular_per_priority": k})
    fill(mall, 5, 3)
    promised = {ticket["number"]: ticket["position"] for ticket in mall.tickets()}
    called = []
    for _ in range(8):
        next_one = mall.call_next(mall.first)
        called.append(next_one["number"])
        mall.complete(mall.start(next_one))
    assert sorted(promised, key=promised.__getitem__) == called


def test_eight_counters_at_once_call_everybody_once(mall):
    mall.open_site(policy={**POLICY, "regular_per_priority": 2, "ageing_cap_minutes": 30})
    counters = [mall.first, *(mall.counter(number, mall.ktp) for number in range(2, 9))]
    fill(mall, 16, 8)

    def work(number: int) -> list[str]:
        served = []
        while (called := mall.call_next(counters[number])) is not None:
            served.append(called["id"])
            mall.complete(mall.start(called))
        return served

    served = [ticket for of_counter in together(8, work) for ticket in of_counter]
    assert sorted(served) == sorted(ticket["id"] for ticket in mall.tickets())
    check_books(mall)


class TestCallsThatWereMistakes:
    def test_an_undone_priority_call_is_no_call_of_the_counter(self, mall):
        mall.open_site(policy={**POLICY, "regular_per_priority": 2})
        fill(mall, 5, 3)
        assert lanes(mall, mall.first, 3) == "PRR"
        mall.undo_call(mall.call_next(mall.first))
        assert lanes(mall, mall.first, 4) == "PRRP"

    def test_nor_is_an_undone_regular_call(self, mall):
        mall.open_site(policy={**POLICY, "regular_per_priority": 2})
        fill(mall, 5, 3)
        assert lanes(mall, mall.first, 2) == "PR"
        for _ in range(2):
            mall.undo_call(mall.call_next(mall.first))
        assert lanes(mall, mall.first, 3) == "RPR"

    def test_nor_the_first_one_of_the_day(self, mall):
        mall.open_site(policy={**POLICY, "regular_per_priority": 1})
        fill(mall, 2, 2)
        mall.undo_call(mall.recall(mall.call_next(mall.first)))
        assert lanes(mall, mall.first, 4) == "PRPR"

    def test_a_call_out_of_turn_never_counted_so_nothing_is_given_back(self, mall):
        mall.open_site(policy={**POLICY, "regular_per_priority": 2})
        fill(mall, 5, 3)
        assert lanes(mall, mall.first, 3) == "PRR"
        called = mall.call_next(mall.first)  # priority: two regular calls are due
        mall.undo_call(mall.call_ticket(mall.send_back(called, position="first"), mall.first))
        assert lanes(mall, mall.first, 3) == "RRP"

    def test_what_another_counter_counts_stays(self, mall):
        mall.open_site(policy={**POLICY, "regular_per_priority": 1})
        second = mall.counter(2, mall.ktp)
        fill(mall, 4, 4)
        assert (lanes(mall, mall.first, 1), lanes(mall, second, 2)) == ("P", "PR")
        mall.undo_call(mall.call_next(mall.first))
        assert (lanes(mall, second, 2), lanes(mall, mall.first, 2)) == ("PR", "RP")
