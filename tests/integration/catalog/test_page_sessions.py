"""Sessions of browsers: carried on by whichever gateway is asked, ended by idleness, by their owner, by a change."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from services.catalog.domain import DEVICE_SESSION, STAFF_SESSION, CatalogError
from services.catalog.usecases import sessions
from services.catalog.usecases.operators import add_operator
from services.chassis.context import SYSTEM, CallContext
from tests.integration.catalog.hall import NEWER, PASSWORD, SECRET, claims_of

pytestmark = pytest.mark.integration

IDLE = timedelta(minutes=30)


def ended(call: Any, *arguments: Any) -> bool:
    with pytest.raises(CatalogError) as caught:
        call(*arguments)
    return caught.value.code == "session_ended"


def test_it_goes_on_as_long_as_somebody_uses_it_until_the_evening(hall):
    page = hall.sign_in_on_page()
    began = hall.clock.instant
    credential, session = page["credential"], claims_of(page)["sid"]
    while hall.clock.instant < began + STAFF_SESSION - timedelta(minutes=25):
        hall.pass_by(timedelta(minutes=25))
        page = hall.renew(page)
        assert (page["credential"], claims_of(page)["sid"]) == (credential, session)
        assert claims_of(page)["exp"] <= (began + STAFF_SESSION).timestamp()
        assert page["ends_in"] == int((began + STAFF_SESSION - hall.clock.instant).total_seconds())
    hall.pass_by(timedelta(minutes=25))
    assert ended(hall.renew, page)


def test_nobody_stays_signed_in_at_a_counter_that_was_left(hall):
    page = hall.sign_in_on_page()
    hall.pass_by(IDLE - timedelta(seconds=1))
    page = hall.renew(page)
    hall.pass_by(IDLE)
    assert ended(hall.renew, page)
    assert hall.is_void(page)
    assert ended(hall.renew, page), "and does not begin to live again"


def test_tabs_and_gateways_renew_at_the_same_moment_and_none_is_taken_for_a_thief(hall):
    page = hall.sign_in_on_page()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: hall.renew(page), range(16)))
    assert {claims_of(answer)["sid"] for answer in answers} == {claims_of(page)["sid"]}
    hall.pass_by(timedelta(minutes=10))
    assert hall.renew(answers[0])
    assert not hall.is_void(page)


def test_its_tokens_do_not_outlive_the_idle_time(hall):
    assert hall.sign_in_on_page()["expires_in"] == 600
    assert IDLE.total_seconds() > 600


def test_it_has_no_refresh_token_and_a_refresh_token_is_no_credential(hall):
    page, tokens = hall.sign_in_on_page(), hall.sign_in()
    assert set(page) == {"credential", "access_token", "expires_in", "ends_in"}
    assert ended(hall.refresh, {"refresh_token": page["credential"]})
    assert ended(hall.renew, {"credential": tokens["refresh_token"]})
    assert hall.renew(page)
    assert hall.refresh(tokens)


@pytest.mark.parametrize("where", [0, 5, 21, 30, -1])
def test_a_forged_credential_is_refused_and_harms_nobody(hall, where):
    page = hall.sign_in_on_page()
    head, _, rest = page["credential"].partition(".")
    place = where % len(rest)
    forged = f"{head}.{rest[:place]}{'A' if rest[place] != 'A' else 'B'}{rest[place + 1 :]}"
    assert ended(hall.renew, {"credential": forged})
    assert ended(hall.leave, {"credential": forged})
    assert hall.renew(page)


def test_a_credential_does_not_move_to_another_regency(hall, new_regency):
    moved = new_regency() + "." + hall.sign_in_on_page()["credential"].partition(".")[2]
    assert ended(hall.renew, {"credential": moved})
    assert ended(hall.renew, {"credential": f"{uuid.uuid4()}.{'A' * 43}"})


def test_signing_out_ends_this_one_or_all_also_those_of_programs(hall):
    page, other, program = hall.sign_in_on_page(), hall.sign_in_on_page(), hall.sign_in()
    assert hall.leave(page) == 1
    assert (ended(hall.renew, page), hall.is_void(page)) == (True, True)
    assert hall.leave(page) == 0
    assert hall.leave(other, everywhere=True) == 2
    assert ended(hall.refresh, program)
    assert hall.is_void(program)


@pytest.mark.parametrize("changes", [{"password": "teh sore hari"}, {"active": False}, {"role": "front_desk"}])
def test_what_an_administrator_changes_ends_it(hall, changes):
    page = hall.sign_in_on_page()
    hall.change("account", "sari", **changes)
    assert hall.is_void(page)
    assert ended(hall.renew, page)


def test_a_smaller_change_counts_with_the_next_token(hall):
    page = hall.sign_in_on_page()
    hall.change("account", "sari", counters=[])
    assert hall.is_void(page)
    assert claims_of(hall.renew(page))["counters"] == []


def test_an_administrator_ends_it(hall):
    page = hall.sign_in_on_page()
    with hall.database.regency_work(hall.regency) as work:
        assert sessions.end_of_account(work, {"id": f"sari@{hall.regency}"}) == {"ended": 1}
    assert ended(hall.renew, page)


def test_a_screen_is_never_idle(hall):
    page = hall.sign_in_on_page("kios")
    for _ in range(3):
        hall.pass_by(DEVICE_SESSION - timedelta(hours=1))
        page = hall.renew(page)
    hall.pass_by(DEVICE_SESSION)
    assert ended(hall.renew, page)


def test_an_operator_has_one_too(hall):
    name = f"pages-{hall.regency}@platform"
    with hall.database.platform_work() as work:
        add_operator(work, name, "Operator", PASSWORD)
    page = hall.renew(hall.sign_in_on_page(name))
    assert claims_of(page)["regency"] is None
    assert hall.leave(page) == 1
    assert ended(hall.renew, page)


def test_a_wrong_password_is_counted_as_everywhere(hall):
    with pytest.raises(CatalogError, match="credentials_invalid"):
        hall.pages.sign_in(hall.database, CallContext(None, SYSTEM), {"username": f"sari@{hall.regency}", "password": "wrong"})
    assert hall.sign_in_on_page()


def test_secrets_are_exchanged_while_people_are_signed_in(hall):
    page = hall.sign_in_on_page()
    hall.with_secrets(NEWER, SECRET)
    newer = hall.renew(page)
    assert newer["credential"] != page["credential"]
    hall.with_secrets(NEWER)
    assert hall.renew(newer)
    assert ended(hall.renew, page)
