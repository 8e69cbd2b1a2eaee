"""What ticketing tells boards: the whole day of a site at one moment."""

import pytest

from services.contracts.board import GetSiteDay, GetSiteHeads, SiteDay, SiteHead
from services.ticketing import domain, usecases
from tests.integration.ticketing.mall import refusal

pytestmark = pytest.mark.integration


def site_day(mall):
    with mall.database.regency_work(mall.regency, read_only=True) as work:
        answer = usecases.get_site_day(work, GetSiteDay().load({"site": mall.site}))
    return SiteDay().load(answer)


def heads(mall, *sites):
    with mall.database.regency_work(mall.regency, read_only=True) as work:
        answer = usecases.get_site_heads(work, GetSiteHeads().load({"sites": list(sites)}))
    return [SiteHead().load(head) for head in answer]


def numbers(day):
    return {ticket["number"]: ticket["status"] for ticket in day["tickets"]}


def test_an_untouched_site_has_an_empty_day(mall):
    day = site_day(mall)
    assert (day["sequence"], day["tickets"], day["paces"]) == (0, [], [])
    assert day["business_date"] == "2026-03-11"
    assert [(counter["id"], counter["services"]) for counter in day["counters"]] == [(mall.first, [mall.ktp, mall.kk])]
    assert [service["id"] for service in day["services"]] == sorted([mall.ktp, mall.kk])


def test_an_unknown_site_is_refused(mall):
    mall.site = "nowhere"
    assert refusal(site_day, mall)[0] == "site_unknown"


def test_it_tells_of_open_tickets_and_of_those_called_and_issued_last(mall, clock):
    for _ in range(15):
        mall.take(mall.ktp)
        ticket = mall.call_next(mall.first)
        mall.start(ticket)
        mall.complete(ticket)
        clock.pass_by(minutes=1)
    mall.cancel(mall.take(mall.kk))
    waiting, called = mall.take(mall.ktp, "elderly"), mall.take(mall.ktp)
    mall.call_ticket(called, mall.first)
    day = site_day(mall)
    # the call under way and the nine before it; who waits; the last one of the other service, which gave up
    assert numbers(day) == {
        called["number"]: "called",
        waiting["number"]: "waiting",
        "A-016": "cancelled",
        **{f"A-{number:03d}": "completed" for number in range(7, 16)},
    }
    lanes = {ticket["number"]: ticket["lane"] for ticket in day["tickets"]}
    assert lanes[waiting["number"]] == "priority"
    assert day["paces"] == [{"service": mall.ktp, "mean_seconds": day["paces"][0]["mean_seconds"]}]


def test_the_last_number_of_a_quiet_service_stays(mall, clock):
    mall.take(mall.kk)
    quiet = mall.call_next(mall.first)
    mall.no_show(quiet)
    for _ in range(11):
        clock.pass_by(minutes=1)
        mall.take(mall.ktp)
        mall.no_show(mall.call_next(mall.first))
    assert quiet["number"] in numbers(site_day(mall))


def test_sequence_and_tickets_are_of_one_moment(mall):
    for expected in range(1, 4):
        ticket = mall.take(mall.ktp)
        day = site_day(mall)
        assert ticket["number"] in numbers(day)
        # the day's opening is an event too
        assert day["sequence"] == expected + 1
        assert heads(mall, mall.site)[0]["sequence"] == day["sequence"]


def test_yesterday_is_over(mall, clock):
    mall.take(mall.ktp)
    clock.pass_by(days=1)
    assert site_day(mall)["tickets"] == []


def test_heads_of_many_sites_are_told_at_once(mall, new_mall):
    other = new_mall()
    mall.take(mall.ktp)
    told = {head["site"]: head["sequence"] for head in heads(mall, mall.site, other.site, "nowhere")}
    assert told == {mall.site: 2, other.site: 0, "nowhere": 0}


def test_what_is_not_known_to_take_long_takes_what_ticketing_assumes(mall):
    assert site_day(mall)["default_pace_seconds"] == domain.DEFAULT_SERVING_SECONDS
