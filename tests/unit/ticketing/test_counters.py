"""Which services a counter calls for whom, and when it may call."""

from dataclasses import replace

import pytest

from services.ticketing import domain
from services.ticketing.domain import QueueRefusal
from tests.unit.ticketing.example import ticket

pytestmark = pytest.mark.unit

SHARED = {"id": "martapura-01", "agency": None, "active": True, "services": ["CPL-KTP", "SOS-INF", "CPL-KK"]}
OWN = {"id": "sukadana-05", "agency": "CPL", "active": True, "services": ["CPL-KTP"]}


def refusal(act, *arguments, **named):
    with pytest.raises(QueueRefusal) as caught:
        act(*arguments, **named)
    return caught.value.code, caught.value.details


class TestServicesOfACounter:
    def test_all_of_them_for_who_acts_for_every_agency(self):
        assert domain.services_for(SHARED, None) == ["CPL-KTP", "SOS-INF", "CPL-KK"]

    def test_the_own_agencys_at_a_shared_counter(self):
        assert domain.services_for(SHARED, ("CPL",)) == ["CPL-KTP", "CPL-KK"]
        assert domain.services_for(SHARED, ("SOS", "CPL")) == ["CPL-KTP", "SOS-INF", "CPL-KK"]

    def test_none_at_the_counter_of_another_agency(self):
        assert refusal(domain.services_for, OWN, ("SOS",)) == ("agency_forbidden", {"counter": "sukadana-05"})

    def test_none_at_the_counter_of_another_agency_even_when_it_serves_nothing(self):
        assert refusal(domain.services_for, {**OWN, "services": []}, ("SOS",))[0] == "agency_forbidden"

    def test_none_at_a_shared_counter_without_the_own_agency(self):
        assert refusal(domain.services_for, SHARED, ("KES",)) == ("agency_forbidden", {"counter": "martapura-01"})

    def test_nothing_to_call_for_is_not_forbidden(self):
        assert domain.services_for({**OWN, "services": []}, ("CPL",)) == []
        assert domain.services_for({**SHARED, "services": []}, ("CPL",)) == []

    def test_none_at_a_counter_out_of_use(self):
        assert refusal(domain.services_for, {**OWN, "active": False}, None) == ("counter_inactive", {"counter": "sukadana-05"})

    def test_an_agency_is_not_taken_for_another_with_the_same_beginning(self):
        assert refusal(domain.services_for, {**OWN, "agency": None, "services": ["CPLX-KTP"]}, ("CPL",))[0] == "agency_forbidden"


CALLED = ticket("called", counter="sukadana-05")
SERVING = ticket("serving", counter="sukadana-05", number=11, id="0c5b2f6a-5f0a-4b56-9a3b-7d0f1c1e1e11")


class TestBusyCounter:
    @pytest.mark.parametrize(
        ("there", "may_call_while_serving", "busy_with"),
        [
            ([], False, None),
            ([], True, None),
            ([CALLED], False, "E-012"),
            ([CALLED], True, "E-012"),
            ([SERVING], False, "E-011"),
            ([SERVING], True, None),
            ([SERVING, CALLED], True, "E-012"),
            ([SERVING, CALLED], False, "E-011"),
        ],
    )
    def test_may_not_call(self, there, may_call_while_serving, busy_with):
        if busy_with is None:
            domain.check_counter_free(there, may_call_while_serving=may_call_while_serving)
            return
        code, details = refusal(domain.check_counter_free, there, may_call_while_serving=may_call_while_serving)
        assert (code, details["number"], details["counter"]) == ("counter_busy", busy_with, "sukadana-05")
        assert details["status"] == ("called" if busy_with == "E-012" else "serving")

    def test_serves_one_at_a_time(self):
        code, details = refusal(domain.check_nobody_served, [SERVING], CALLED)
        assert (code, details["number"], details["status"]) == ("counter_busy", "E-011", "serving")

    def test_may_serve_whom_it_has_called(self):
        started = replace(CALLED, status="serving")
        domain.check_nobody_served([CALLED], started)
        domain.check_nobody_served([started], started)


class TestAgency:
    def test_has_its_letters_at_each_site(self):
        agency = {"id": "CPL", "presences": [{"site": "sukadana", "prefix": "E"}, {"site": "way-jepara", "prefix": "B"}]}
        assert [domain.prefix_at(agency, site) for site in ("sukadana", "way-jepara")] == ["E", "B"]
        assert refusal(domain.prefix_at, agency, "boroko") == ("service_not_offered", {"site": "boroko", "agency": "CPL"})

    def test_stands_in_the_id_of_its_service(self):
        assert domain.agency_of("CPL-KTP") == "CPL"
