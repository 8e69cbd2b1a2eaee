"""Who comes, and what they do: repeatable by the seed, and a bit of everything."""

from dataclasses import replace

import pytest

from deploy.simulation.people import stranger, visitors
from tests.unit.simulation.example import MALL

pytestmark = pytest.mark.unit


def test_the_same_seed_brings_the_same_people_and_another_brings_others():
    assert visitors(MALL, 50, seed=7, day=0) == visitors(MALL, 50, seed=7, day=0)
    for other in (visitors(MALL, 50, seed=8, day=0), visitors(MALL, 50, seed=7, day=1), visitors(replace(MALL, site="belitang"), 50, 7, 0)):
        assert other != visitors(MALL, 50, seed=7, day=0)


def test_they_come_in_order_for_what_the_counters_serve_over_the_channels_of_the_site():
    people = visitors(MALL, 500, seed=1, day=0)
    assert [visitor.arrives for visitor in people] == sorted(visitor.arrives for visitor in people)
    assert {visitor.service for visitor in people} == {"CPL-ADM", "PTS-IZN", "KES-LKS"}
    assert {visitor.channel for visitor in people} == {"kiosk", "web"}


def test_a_day_has_a_bit_of_everything():
    people = visitors(MALL, 2_000, seed=1, day=0)
    assert {visitor.comes_at_recall for visitor in people} == {None, 0, 1, 2}
    assert {visitor.outcome for visitor in people} == {"done", "papers_missing", "collect_later", "referred"}
    assert 0.1 < sum(visitor.priority_class is not None for visitor in people) / len(people) < 0.2
    assert 0.02 < sum(visitor.gives_back_after is not None for visitor in people) / len(people) < 0.06
    two = [visitor for visitor in people if visitor.then is not None]
    assert 0.04 < len(two) / len(people) < 0.1
    assert all(visitor.then != visitor.service and visitor.comes_at_recall == 0 for visitor in two)
    surveys = [visitor.scores for visitor in people if visitor.scores is not None]
    assert 0.3 < len(surveys) / len(people) < 0.4
    assert {len(scores) for scores in surveys} == set(range(1, 10))
    assert {score for scores in surveys for score in scores.values()} == {1, 2, 3, 4}
    assert all(2 <= visitor.served_for <= 40 for visitor in people)


def test_whoever_took_a_number_elsewhere_is_served_at_the_first_call():
    assert stranger("a") == stranger("a") != stranger("b")
    assert (stranger("a").comes_at_recall, stranger("a").scores) == (0, None)
