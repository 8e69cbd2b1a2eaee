"""The comparison finds every figure in which a report is not what was played."""

from dataclasses import replace

import pytest

from deploy.simulation.comparison import NOTHING, Figures, disagreements
from deploy.simulation.playing import Outcome
from deploy.simulation.summary import closing, table
from deploy.simulation.tally import STATES, DayAtSite, Tally
from services.contracts.reporting import ELEMENTS
from tests.unit.simulation.example import ticket

pytestmark = pytest.mark.unit

DAY = DayAtSite("oku-timur", "martapura", "2026-05-04")
UNANSWERED = {element: {"nrr": None, "answers": 0} for element in ELEMENTS}
SCORES = ({"time": 3, "cost": 4}, {"time": 4})


TOLD = (15, 20, None, 60)
"""What each of the four was told; the second waited ten seconds more, the first five less."""


def a_day():
    """Four numbers: two served after 10 and 30 seconds, one not there after a recall, one still waiting; two surveys."""
    tally = Tally()
    for number in range(4):
        tally.issued(DAY.regency, ticket(number, "waiting", told=TOLD[number]))
    for number, status, waited, recalls in ((0, "completed", 10.0, 0), (1, "completed", 30.0, 1), (2, "no_show", 35.5, 2)):
        tally.changed(DAY.regency, ticket(number, status, version=4, waited=waited, recalls=recalls, told=TOLD[number]))
    for scores in SCORES:
        tally.surveyed(DAY.regency, {"site": DAY.site, "business_date": DAY.date}, scores)
    return tally


REPORTED = Figures(
    {
        **dict.fromkeys(STATES, 0),
        "issued": 4,
        "completed": 2,
        "no_show": 1,
        "waiting": 1,
        "wait_seconds": {"mean": 25.167, "p50": 30.0, "p90": 34.4},
        "first_call_seconds": {"mean": 25.167, "p50": 30.0, "p90": 34.4},
        "estimates": {"compared": 2, "not_called": 1, "not_estimated": 1, "median_absolute_error_seconds": 7.5, "bias_seconds": -2.5},
        "visits": {
            "total": 4,
            "open": 1,
            "finished": 2,
            "broken_off": 0,
            "unserved": 1,
            "legs": 4,
            "first_call_seconds": {"mean": 25.167, "p50": 30.0, "p90": 34.4},
            "wait_seconds": {"mean": 20.0, "p50": 20.0, "p90": 28.0},
            "serve_seconds": {"mean": 100.0, "p50": 100.0, "p90": 100.0},
            "stay_seconds": {"mean": 120.0, "p50": 120.0, "p90": 128.0},
        },
    },
    {
        "respondents": 2,
        "elements": {
            **UNANSWERED,
            "time": {"nrr": 3.5, "answers": 2},
            "cost": {"nrr": 4.0, "answers": 1},
        },
    },
)
EARLIER = Figures(
    {**dict.fromkeys(STATES, 0), "issued": 3, "completed": 2, "waiting": 1, "wait_seconds": {"mean": 1.0, "p50": 1.0, "p90": 1.0}},
    {"respondents": 1, "elements": {**UNANSWERED, "time": {"nrr": 1.0, "answers": 1}}},
)


def found(after, before=NOTHING, tally=None, *, is_over=False):
    """Figures that disagree."""
    [played] = (tally or a_day()).played().values()
    return {each.figure: (each.played, each.reported) for each in disagreements(DAY, played, before, after, is_over=is_over)}


def with_daily(**figures):
    return replace(REPORTED, daily={**REPORTED.daily, **figures})


def test_reports_that_are_right_agree():
    assert found(REPORTED) == {}


def test_what_was_reported_before_does_not_count():
    sums = {figure: REPORTED.daily[figure] + EARLIER.daily[figure] for figure in ("issued", *STATES)}
    elements = {**REPORTED.skm["elements"], "time": {"nrr": 2.6667, "answers": 3}}
    after = Figures({**sums, "wait_seconds": {"mean": 9.0, "p50": 9.0, "p90": 9.0}}, {"respondents": 3, "elements": elements})
    assert found(after, EARLIER) == {}
    assert found(REPORTED, EARLIER).keys() >= {"issued", "completed", "surveys", "sum of scores for time"}


@pytest.mark.parametrize("figure", ["issued", *STATES])
def test_a_doctored_count_is_found(figure):
    assert found(with_daily(**{figure: REPORTED.daily[figure] + 1})).keys() == {figure}


@pytest.mark.parametrize(("kind", "figure"), [("mean", "mean wait"), ("p50", "median wait"), ("p90", "wait of nine in ten")])
@pytest.mark.parametrize("wrong", [None, 25.9])
def test_a_doctored_wait_is_found(kind, figure, wrong):
    waits = {**REPORTED.daily["wait_seconds"], kind: wrong}
    assert found(with_daily(wait_seconds=waits)).keys() == {f"{figure} in seconds"}


@pytest.mark.parametrize("kind", ["mean", "p50", "p90"])
@pytest.mark.parametrize("wrong", [None, 25.9])
def test_a_doctored_first_call_is_found(kind, wrong):
    [figure] = found(with_daily(first_call_seconds={**REPORTED.daily["first_call_seconds"], kind: wrong}))
    assert figure.startswith("seconds to the first call")


@pytest.mark.parametrize("name", ["compared", "not_called", "not_estimated", "median_absolute_error_seconds", "bias_seconds"])
def test_a_doctored_error_of_estimates_is_found(name):
    errors = REPORTED.daily["estimates"]
    assert len(found(with_daily(estimates={**errors, name: errors[name] + 1}))) == 1


@pytest.mark.parametrize("name", ["total", "open", "finished", "broken_off", "unserved", "legs"])
def test_a_doctored_count_of_visits_is_found(name):
    visits = REPORTED.daily["visits"]
    assert len(found(with_daily(visits={**visits, name: visits[name] + 1}))) == 1


@pytest.mark.parametrize("name", ["first_call_seconds", "wait_seconds", "serve_seconds", "stay_seconds"])
@pytest.mark.parametrize("kind", ["mean", "p50", "p90"])
def test_a_doctored_duration_of_visits_is_found(name, kind):
    visits = REPORTED.daily["visits"]
    assert len(found(with_daily(visits={**visits, name: {**visits[name], kind: 26.5}}))) == 1


def test_visits_that_were_open_may_have_ended_with_the_day():
    visits = {**REPORTED.daily["visits"], "open": 0, "unserved": 2}
    assert found(with_daily(visits=visits, waiting=0, expired=1), is_over=True) == {}
    assert found(with_daily(visits={**visits, "finished": 3}, waiting=0, expired=1), is_over=True).keys() == {"visits finished"}


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_doctored_survey_is_found(element):
    known = REPORTED.skm["elements"][element]
    more = {"nrr": known["nrr"] or 1.0, "answers": known["answers"] + 1}
    assert f"answers for {element}" in found(
        replace(REPORTED, skm={**REPORTED.skm, "elements": {**REPORTED.skm["elements"], element: more}})
    )
    assert found(replace(REPORTED, skm={**REPORTED.skm, "respondents": 3})).keys() == {"surveys"}


def test_another_mean_of_an_element_is_found():
    elements = {**REPORTED.skm["elements"], "time": {"nrr": 3.0, "answers": 2}}
    assert found(replace(REPORTED, skm={"respondents": 2, "elements": elements})) == {"sum of scores for time": (7, 6)}


def test_who_waited_at_the_end_of_a_business_date_may_have_expired_but_not_vanished():
    assert found(with_daily(waiting=0, expired=1), is_over=True) == {}
    assert found(with_daily(waiting=0, expired=1)).keys() == {"waiting", "expired"}
    assert found(with_daily(waiting=0), is_over=True) == {"open or expired": (1, 0)}


def test_a_number_that_others_took_leaves_the_queue_and_is_not_counted_as_issued():
    tally = Tally()
    tally.changed(DAY.regency, ticket("x", "called", version=2, waited=500.0, recalls=1))
    tally.changed(DAY.regency, ticket("x", "completed", version=4, waited=500.0, recalls=1))
    after = Figures({**EARLIER.daily, "waiting": 0, "completed": 3}, EARLIER.skm)
    assert found(after, EARLIER, tally) == {}
    assert found(EARLIER, EARLIER, tally) == {"waiting": (-1, 0), "completed": (1, 0)}
    [played] = tally.played().values()
    assert (played.issued, played.strangers, played.recalls) == (0, 1, 0)


def test_answers_that_come_late_do_not_take_a_ticket_back():
    tally = a_day()
    tally.changed(DAY.regency, ticket(0, "called", version=2, waited=10.0))
    assert found(REPORTED, tally=tally) == {}
    assert tally.ended == 3


@pytest.mark.parametrize("issued", [4, 5])
def test_the_summary_tells_each_difference(issued):
    played = a_day().played()
    differing = disagreements(DAY, played[DAY], NOTHING, with_daily(issued=issued), is_over=False)
    outcome = Outcome(played=played, disagreements={DAY: differing}, seconds=12.0)
    head, row = table(outcome).splitlines()
    assert outcome.agreed == (issued == 4)
    assert row.split()[:-1] == ["oku-timur/martapura", "2026-05-04", "4", "2", "1", "0", "1", "3", "2", "25.2", "s", "34.4", "s"]
    assert row.endswith("agree" if issued == 4 else "DISAGREE")
    assert head.split()[0] == "site"
    told = "DISAGREES oku-timur/martapura on 2026-05-04, issued: played 4, reported 5"
    assert (told in closing(outcome)) == (issued == 5)


def test_the_summary_tells_what_a_wait_was_in_the_day_that_was_played():
    """Three who were called waited 25 seconds on average; sixty times as long are 25 minutes."""
    outcome = Outcome(played=a_day().played(), seconds=12.0)
    assert "Waits are real seconds." in closing(outcome)[0]
    assert "60 times as long: 25 minutes on average." in closing(replace(outcome, speed=60.0))[0]
