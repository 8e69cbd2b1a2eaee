"""The order of a visit's services, and what is lost with one that is given up."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ticketing.domain import QueueRefusal, check_only_live, depending_on, in_order
from tests.unit.ticketing.example import ticket

pytestmark = pytest.mark.unit

NEEDS = {"BPJS-KES": ["CPL-KTP"], "BANK-REK": ["BPJS-KES"]}


class TestOrder:
    def test_is_as_asked_for_where_nothing_is_required(self):
        assert in_order(["B-1", "A-1", "C-1"], {}) == ["B-1", "A-1", "C-1"]

    @pytest.mark.parametrize("asked", list(permutations(["CPL-KTP", "BPJS-KES", "BANK-REK"])))
    def test_puts_first_what_others_require(self, asked):
        assert in_order(asked, NEEDS) == ["CPL-KTP", "BPJS-KES", "BANK-REK"]

    def test_takes_what_was_not_asked_for_as_done(self):
        assert in_order(["BANK-REK", "PTS-IZN"], NEEDS) == ["BANK-REK", "PTS-IZN"]

    def test_names_each_service_once(self):
        assert in_order(["A-1", "B-1", "A-1"], {}) == ["A-1", "B-1"]

    def test_is_refused_for_a_circle(self):
        with pytest.raises(QueueRefusal, match="prerequisites_circular") as caught:
            in_order(["A-1", "B-1", "C-1"], {"A-1": ["B-1"], "B-1": ["A-1"]})
        assert caught.value.details == {"services": ["A-1", "B-1"]}

    @given(st.lists(st.integers(0, 7), unique=True, min_size=1), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
    def test_never_puts_a_service_before_what_it_requires(self, asked, pairs):
        needs = {str(after): [str(before) for before, later in pairs if later == after and before < after] for after in range(8)}
        ordered = in_order([str(each) for each in asked], needs)
        assert sorted(ordered) == sorted(str(each) for each in asked)
        for place, service in enumerate(ordered):
            assert not set(needs[service]) & set(ordered[place + 1 :])


def leg(number: int, service: str, status: str = "reserved"):
    return ticket(status, id=f"7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e{number:02d}", number=number, service=service, leg=number)


def test_what_needs_a_service_that_was_given_up_is_lost_too():
    legs = [leg(2, "BPJS-KES"), leg(3, "PTS-IZN"), leg(4, "BANK-REK")]
    assert [each.service for each in depending_on("CPL-KTP", legs, NEEDS)] == ["BPJS-KES", "BANK-REK"]
    assert depending_on("PTS-IZN", legs, NEEDS) == []


@pytest.mark.parametrize("status", ["printing", "waiting", "called", "serving", "on_hold"])
def test_one_leg_is_live_at_a_time(status):
    reserved = leg(2, "BPJS-KES")
    with pytest.raises(QueueRefusal, match="visit_busy"):
        check_only_live([leg(1, "CPL-KTP", status), reserved], reserved)


def test_ended_and_reserved_legs_are_in_nobodys_way():
    reserved = leg(2, "BPJS-KES")
    check_only_live([leg(1, "CPL-KTP", "completed"), leg(3, "BANK-REK"), leg(4, "PTS-IZN", "no_show"), reserved], reserved)
