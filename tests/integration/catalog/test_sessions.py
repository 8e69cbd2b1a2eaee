"""Sessions: carried on with refresh tokens that are good once, ended by their owner, an administrator, a change or a misuse."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from services.catalog.domain import DEVICE_SESSION, REPEAT, STAFF_SESSION, CatalogError
from services.catalog.store import sessions as store
from services.catalog.store import tables
from services.catalog.usecases import entities, sessions
from services.catalog.usecases.operators import add_operator
from services.chassis.context import CallContext
from tests.integration.catalog.hall import NEWER, PASSWORD, SECRET, claims_of

pytestmark = pytest.mark.integration


def ended(call: Any, *arguments: Any) -> bool:
    with pytest.raises(CatalogError) as caught:
        call(*arguments)
    return caught.value.code == "session_ended"


def test_a_session_is_carried_on_with_the_newest_refresh_token(hall):
    tokens = hall.sign_in()
    for _ in range(5):
        hall.pass_by(timedelta(minutes=9))
        newer = hall.refresh(tokens)
        assert newer["refresh_token"] != tokens["refresh_token"]
        assert claims_of(newer)["sid"] == claims_of(tokens)["sid"]
        assert claims_of(newer)["exp"] > claims_of(tokens)["exp"]
        tokens = newer
    assert not hall.is_void(tokens)


def test_a_lost_answer_can_be_asked_for_again(hall):
    tokens = hall.sign_in()
    first = hall.refresh(tokens)
    hall.pass_by(REPEAT)
    assert hall.refresh(tokens)["refresh_token"] == first["refresh_token"]
    assert hall.refresh(first)


def test_two_tabs_that_renew_at_the_same_time_are_both_answered(hall):
    tokens = hall.sign_in()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: hall.refresh(tokens), range(8)))
    assert len({answer["refresh_token"] for answer in answers}) == 1


def test_a_stolen_refresh_token_ends_the_session_for_its_thief_and_its_owner(hall):
    stolen = hall.sign_in()
    another = hall.sign_in()
    own = hall.refresh(stolen)
    hall.pass_by(REPEAT + timedelta(seconds=1))
    assert ended(hall.refresh, stolen)
    assert ended(hall.refresh, own)
    assert hall.is_void(own)
    assert hall.is_void(stolen)
    assert hall.refresh(another), "another session of the same account goes on"


def test_a_token_that_skipped_two_generations_is_not_taken_for_a_lost_answer(hall):
    tokens = hall.sign_in()
    newest = hall.refresh(hall.refresh(tokens))
    assert ended(hall.refresh, tokens)
    assert ended(hall.refresh, newest)


@pytest.mark.parametrize("where", [0, 5, 20, 30, 40, -1])
def test_a_forged_refresh_token_is_refused(hall, where):
    tokens = hall.sign_in()
    head, _, rest = tokens["refresh_token"].partition(".")
    place = where % len(rest)
    forged = f"{head}.{rest[:place]}{'A' if rest[place] != 'A' else 'B'}{rest[place + 1 :]}"
    assert ended(hall.refresh, {"refresh_token": forged})
    assert hall.refresh(tokens), "and harms nobody"


@pytest.mark.parametrize("token", ["x", ".", "lampung-timur.", "platform.AAAA", "é" * 3, "'; DROP TABLE session; --.AAAA"])
def test_what_is_no_refresh_token_is_refused(hall, token):
    assert ended(lambda: hall.use_cases.refresh(hall.database, CallContext(None), {"refresh_token": token}))


def test_a_refresh_token_does_not_move_to_another_regency(hall, new_regency):
    tokens = hall.sign_in()
    moved = new_regency() + "." + tokens["refresh_token"].partition(".")[2]
    assert ended(hall.refresh, {"refresh_token": moved})


def test_staff_sign_in_again_the_next_morning_however_busy_the_night(hall):
    tokens = hall.sign_in()
    until = hall.clock.instant + STAFF_SESSION
    while hall.clock.instant < until - timedelta(minutes=30):
        hall.pass_by(timedelta(minutes=30))
        tokens = hall.refresh(tokens)
    assert claims_of(tokens)["exp"] <= until.timestamp()
    hall.pass_by(timedelta(minutes=30))
    assert ended(hall.refresh, tokens)


def test_a_device_stays_signed_in_as_long_as_it_is_used(hall):
    tokens = hall.sign_in("kios")
    for _ in range(6):
        hall.pass_by(DEVICE_SESSION - timedelta(hours=1))
        tokens = hall.refresh(tokens)
    hall.pass_by(DEVICE_SESSION)
    assert ended(hall.refresh, tokens)


def test_signing_out_ends_this_session_or_all(hall):
    here, there, elsewhere = (hall.sign_in() for _ in range(3))
    assert hall.sign_out(here) == 1
    assert hall.sign_out(here) == 0
    assert ended(hall.refresh, here)
    assert hall.is_void(here)
    there = hall.refresh(there)
    assert hall.sign_out(there, everywhere=True) == 2
    assert ended(hall.refresh, elsewhere)
    assert hall.is_void(elsewhere)


def test_an_administrator_signs_a_device_out(hall):
    tokens, other = hall.sign_in("kios"), hall.sign_in()
    with hall.database.regency_work(hall.regency) as work:
        assert sessions.end_of_account(work, {"id": f"kios@{hall.regency}"}) == {"ended": 1}
        with pytest.raises(CatalogError, match="account_unknown"):
            sessions.end_of_account(work, {"id": f"nobody@{hall.regency}"})
    assert ended(hall.refresh, tokens)
    assert hall.is_void(tokens)
    assert not hall.is_void(other)


@pytest.mark.parametrize("changes", [{"password": "teh sore hari"}, {"active": False}, {"role": "front_desk"}])
def test_who_has_another_password_or_role_or_none_signs_in_again(hall, changes):
    tokens, other = hall.sign_in(), hall.sign_in("ketut")
    hall.change("account", "sari", **changes)
    assert hall.is_void(tokens)
    assert ended(hall.refresh, tokens)
    assert hall.refresh(other)


def test_another_agency_counts_with_the_next_access_token(hall):
    tokens = hall.sign_in()
    with hall.database.regency_work(hall.regency) as work:
        entities.create(work, "agency", {"id": "CPL", "name": "Dukcapil", "kind": "regency", "presences": []})
    hall.change("account", "sari", agencies=["CPL"])
    assert hall.is_void(tokens)
    renewed = hall.refresh(tokens)
    assert not hall.is_void(renewed)
    assert claims_of(renewed)["agencies"] == ["CPL"]


def test_a_change_that_changes_nothing_signs_nobody_out(hall):
    tokens = hall.sign_in()
    hall.change("account", "sari", display_name="sari")
    assert not hall.is_void(tokens)


def test_an_operator_has_sessions_too(hall):
    name = f"ops-{hall.regency}@platform"
    with hall.database.platform_work() as work:
        add_operator(work, name, "Operator", PASSWORD)
    tokens = hall.refresh(hall.sign_in(name))
    assert claims_of(tokens)["regency"] is None
    assert hall.sign_out(tokens) == 1
    assert hall.is_void(tokens)


def test_secrets_are_exchanged_while_people_are_signed_in(hall):
    tokens = hall.sign_in()
    hall.use_cases = hall.with_secrets(SECRET, NEWER)
    tokens = hall.refresh(tokens)
    hall.use_cases = hall.with_secrets(NEWER, SECRET)
    tokens = hall.refresh(tokens)
    hall.use_cases = hall.with_secrets(NEWER)
    assert hall.refresh(tokens)


def test_revocations_are_told_for_as_long_as_the_tokens_could_live_and_then_forgotten(hall):
    tokens = hall.sign_in()
    hall.sign_out(tokens)
    hall.pass_by(timedelta(seconds=600))
    assert hall.is_void(tokens)
    hall.pass_by(timedelta(minutes=2))
    assert not hall.is_void(tokens)
    assert claims_of(tokens)["exp"] < hall.clock.instant.timestamp()


def test_a_regency_revokes_nothing_of_another(hall):
    def revoke_there() -> None:
        with hall.database.regency_work(hall.regency) as work:
            store.revoke(work, "another-regency", "x@another-regency", version=2)

    with pytest.raises(ProgrammingError, match="row-level security"):
        revoke_there()


def test_sessions_that_ended_long_ago_are_forgotten(hall):
    hall.sign_in()
    hall.pass_by(STAFF_SESSION + timedelta(days=8))
    hall.sign_in()
    with hall.database.regency_work(hall.regency) as work:
        assert len(work.execute(tables.session.select()).all()) == 1
