"""Hundreds of regencies in which all goes well cost a gap finder hardly more than ten; a sign of trouble comes first."""

import pytest

from services.chassis.rota import CALM_IN_A_ROUND, MOST_IN_A_ROUND, Rota

pytestmark = pytest.mark.unit

REGENCIES = [f"r{number:03d}" for number in range(514)]


@pytest.fixture
def rota() -> Rota:
    return Rota()


def look(rota: Rota, *regencies: str, **marks: int) -> None:
    for regency in regencies:
        rota.looking(regency)
        rota.looked(regency, marks)


def test_what_nobody_has_looked_at_is_urgent_whatever_its_number(rota):
    rota.arrived("r", "main", 1)
    assert rota.due() == ["r"]
    assert rota.reached("r", "main") == 0, "what lies below may be missing"
    look(rota, "r", main=1)
    assert rota.due() == []
    assert rota.reached("r", "main") == 1


def test_what_arrives_in_order_has_arrived_before_anybody_looks(rota):
    look(rota, "r", main=7)
    for sequence in (8, 9):
        rota.arrived("r", "main", sequence)
    assert rota.reached("r", "main") == 9
    assert rota.due() == ["r"]


def test_behind_a_hole_nothing_counts_as_arrived_until_somebody_has_looked(rota):
    look(rota, "r", main=7)
    for sequence in (9, 10, 8):
        rota.arrived("r", "main", sequence)
    assert rota.reached("r", "main") == 8
    look(rota, "r", main=10)
    assert rota.reached("r", "main") == 10


def test_a_number_left_out_comes_before_hundreds_that_are_in_order(rota):
    look(rota, *REGENCIES, main=1)
    for regency in REGENCIES:
        rota.arrived(regency, "main", 2)
    assert rota.due() == REGENCIES[:CALM_IN_A_ROUND]
    rota.arrived("r500", "main", 4)
    assert rota.due() == ["r500", *REGENCIES[:CALM_IN_A_ROUND]]
    assert set(rota.waiting()) == set(REGENCIES)


def test_all_have_their_turn_although_all_go_on(rota):
    look(rota, *REGENCIES, main=1)
    last = dict.fromkeys(REGENCIES, 1)
    seen: set[str] = set()
    rounds = -(-len(REGENCIES) // CALM_IN_A_ROUND)
    for _ in range(rounds):
        for regency in REGENCIES:
            last[regency] += 1
            rota.arrived(regency, "main", last[regency])
        for regency in rota.due():
            look(rota, regency, main=last[regency])
            seen.add(regency)
    assert seen == set(REGENCIES)


def test_calm_ones_have_their_turn_however_many_are_urgent(rota):
    look(rota, *REGENCIES, main=1)
    for regency in REGENCIES[100:]:
        rota.arrived(regency, "main", 3)
    for regency in REGENCIES[:100]:
        rota.remind(regency)
    due = rota.due()
    assert due[-CALM_IN_A_ROUND:] == REGENCIES[:CALM_IN_A_ROUND]
    assert due[:-CALM_IN_A_ROUND] == REGENCIES[100 : 100 + MOST_IN_A_ROUND - CALM_IN_A_ROUND]


def test_without_calm_ones_the_urgent_ones_have_all_turns(rota):
    for regency in REGENCIES:
        rota.urge(regency)
    assert rota.due() == REGENCIES[:MOST_IN_A_ROUND]


def test_who_is_passed_over_takes_no_turn_from_the_others(rota):
    for regency in REGENCIES[:30]:
        rota.urge(regency)
    assert rota.due(set(REGENCIES[:20]).__contains__) == REGENCIES[20:30]


def test_what_happens_while_it_is_looked_at_needs_another_look(rota):
    look(rota, "r", main=1)
    rota.looking("r")
    rota.arrived("r", "main", 2)
    rota.looked("r", {"main": 1})
    assert rota.due() == ["r"]
    assert rota.reached("r", "main") == 2


def test_what_is_found_counts_even_if_it_is_less_than_what_was_known(rota):
    look(rota, "r", main=5)
    rota.arrived("r", "main", 6)
    look(rota, "r", main=4)
    assert rota.reached("r", "main") == 4


def test_streams_are_told_apart(rota):
    look(rota, "r", "other", main=3)
    rota.arrived("r", "main", 4)
    assert (rota.reached("r", "main"), rota.reached("r", "annex"), rota.reached("other", "main")) == (4, 0, 3)


def test_what_comes_again_lowers_nothing_and_needs_no_look(rota):
    look(rota, "r", main=3)
    rota.arrived("r", "main", 2)
    assert rota.reached("r", "main") == 3
    assert rota.due() == []


def test_what_is_forgotten_counts_for_nothing_and_is_urgent(rota):
    look(rota, "r", "other", main=3)
    rota.arrived("r", "main", 4)
    rota.forget("r")
    assert not rota.knows("r")
    assert (rota.reached("r", "main"), rota.reached("other", "main")) == (0, 3)
    assert rota.due() == ["r"]
