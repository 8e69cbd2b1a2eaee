"""What travels with a call arrives unchanged, also between two releases, and knows when its time is over."""

import json
import time

import pytest

from services.chassis.context import ANONYMOUS, SYSTEM, Actor, CallContext

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "actor",
    [
        ANONYMOUS,
        SYSTEM,
        Actor("officer@x", "officer", "x", ("CPL", "BPN")),
        Actor("s@x", "supervisor", "x", ()),
        Actor("a@x", "admin", "x", None),
        Actor("k@x", "kiosk", "x", None, "sukadana"),
    ],
)
def test_a_context_survives_the_wire(actor):
    context = CallContext("lampung-timur", actor, "k:1", 1_700_000_000.25, "en", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert CallContext.from_dict(json.loads(json.dumps(context.to_dict()))) == context


def test_all_agencies_and_no_agency_are_different_things():
    assert Actor.from_dict(Actor("a", "officer", "x", None).to_dict()).agencies is None
    assert Actor.from_dict(Actor("a", "officer", "x", ()).to_dict()).agencies == ()


def test_a_field_of_a_newer_release_is_ignored():
    sent = CallContext("lampung-timur", deadline=5.0).to_dict()
    assert CallContext.from_dict({**sent, "tomorrow": 1, "actor": {**sent["actor"], "tomorrow": 1}}) == CallContext(
        "lampung-timur", deadline=5.0
    )


def test_the_deadline_is_absolute():
    assert CallContext(None, deadline=time.time() + 3).remaining() == pytest.approx(3, abs=0.5)
    assert CallContext(None, deadline=time.time() - 3).remaining() == pytest.approx(-3, abs=0.5)


def test_a_context_has_five_seconds_unless_told_otherwise():
    assert CallContext(None).remaining() == pytest.approx(5, abs=0.5)


def test_a_new_deadline_leaves_the_rest_as_it_is():
    context = CallContext("lampung-timur", SYSTEM, "k", 0.0, "en", "t")
    later = context.within(9)
    assert later.remaining() == pytest.approx(9, abs=0.5)
    assert {**later.to_dict(), "deadline": 0.0} == context.to_dict()


@pytest.mark.parametrize("deadline", ["soon", None, float("nan"), []])
def test_a_context_without_a_usable_deadline_is_refused(deadline):
    with pytest.raises((TypeError, ValueError)):
        CallContext.from_dict({**CallContext("x").to_dict(), "deadline": deadline})
