"""Codes with which people set their passwords, and what makes somebody who guesses wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from services.catalog.domain import CODE_LIFE, FREE_ATTEMPTS, CatalogError
from services.catalog.store import tables
from services.catalog.usecases import entities, own_password
from services.catalog.usecases.operators import add_operator
from services.chassis.context import CallContext
from services.chassis.settings import Settings
from services.contracts import catalog as contracts
from tests.integration.catalog.hall import PASSWORD, SECRET, Hall, claims_of

pytestmark = pytest.mark.integration

NEW = "sambal terasi dan kerupuk"


def code_of(hall: Hall, name: str = "sari") -> str:
    with hall.database.regency_work(hall.regency) as work:
        answer = own_password.create_code(work, {"id": f"{name}@{hall.regency}"})
    told = own_password.with_code(Settings(token_secrets=(SECRET,)), answer)
    assert contracts.OneTimeCode().load(told) == told
    return str(told["code"])


def set_password(hall: Hall, name: str = "sari", new: str = NEW, **proof: str) -> dict[str, Any]:
    username = name if "@" in name else f"{name}@{hall.regency}"
    data = contracts.SetPassword().load({"username": username, "new_password": new, **proof})
    return own_password.set_password(hall.use_cases, hall.database, CallContext(None), data)


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(CatalogError) as caught:
        call(*arguments, **named)
    return caught.value.code


def sign_in(hall: Hall, password: str, name: str = "sari") -> dict[str, Any]:
    username = name if "@" in name else f"{name}@{hall.regency}"
    answer: dict[str, Any] = hall.use_cases.sign_in(hall.database, CallContext(None), {"username": username, "password": password})
    return answer


class TestCode:
    def test_a_new_account_begins_with_one(self, hall):
        facts = {"id": f"baru@{hall.regency}", "role": "officer", "display_name": "Baru", "agencies": None}
        with hall.database.regency_work(hall.regency) as work:
            entities.create(work, "account", contracts.CreateAccount().load(facts))
        assert refused(sign_in, hall, NEW, "baru") == "credentials_invalid"
        tokens = set_password(hall, "baru", code=code_of(hall, "baru"))
        assert claims_of(tokens)["sub"] == f"baru@{hall.regency}"
        assert sign_in(hall, NEW, "baru")

    def test_the_old_password_and_sessions_end_when_it_is_used(self, hall):
        before = hall.sign_in()
        code = code_of(hall)
        assert hall.sign_in(), "until then nothing changes"
        after = set_password(hall, code=code.lower().replace("-", " "))
        assert hall.is_void(before)
        assert not hall.is_void(after)
        assert refused(hall.sign_in) == "credentials_invalid"
        assert hall.refresh(after)

    def test_it_is_good_once(self, hall):
        code = code_of(hall)
        set_password(hall, code=code)
        assert refused(set_password, hall, new=NEW + " lagi", code=code) == "credentials_invalid"
        assert sign_in(hall, NEW)

    def test_two_who_use_it_at_once(self, hall):
        code = code_of(hall)

        def attempt(number: int) -> int | None:
            try:
                set_password(hall, new=f"{NEW} {number}", code=code)
            except CatalogError:
                return None
            return number

        with ThreadPoolExecutor(4) as pool:
            winners = [number for number in pool.map(attempt, range(4)) if number is not None]
        assert len(winners) == 1
        assert sign_in(hall, f"{NEW} {winners[0]}")

    def test_a_newer_one_and_time_make_it_void(self, hall):
        first, second = code_of(hall), code_of(hall)
        assert refused(set_password, hall, code=first) == "credentials_invalid"
        hall.pass_by(CODE_LIFE)
        assert refused(set_password, hall, code=second) == "credentials_invalid"

    def test_it_is_for_its_account_alone(self, hall):
        code = code_of(hall, "sari")
        for name in ("ketut", "nobody", "nobody@atlantis", "operator@platform", "@"):
            assert refused(set_password, hall, name, code=code) == "credentials_invalid"

    def test_a_deactivated_account_stays_out(self, hall):
        code = code_of(hall)
        hall.change("account", "sari", active=False)
        assert refused(set_password, hall, code=code) == "credentials_invalid"

    def test_no_table_holds_it(self, hall):
        code = code_of(hall).replace("-", "")
        with hall.database.regency_work(hall.regency) as work:
            rows = work.execute(tables.one_time_code.select()).all()
        assert len(rows) == 1
        assert code not in str(rows)
        with hall.database.regency_work(hall.regency) as work:
            answer = own_password.create_code(work, {"id": f"sari@{hall.regency}"})
        assert "code" not in answer, "what is stored with the command"


class TestOwnPassword:
    def test_it_is_changed_with_the_present_one(self, hall):
        elsewhere = hall.sign_in()
        here = set_password(hall, password=PASSWORD)
        assert hall.is_void(elsewhere)
        assert hall.refresh(here)
        assert sign_in(hall, NEW)

    def test_an_operator_has_one_too(self, hall):
        name = f"op-{hall.regency}@platform"
        with hall.database.platform_work() as work:
            add_operator(work, name, "Operator", PASSWORD)
        before = hall.sign_in(name)
        after = set_password(hall, name, password=PASSWORD)
        assert hall.is_void(before)
        assert not hall.is_void(after)
        assert refused(sign_in, hall, PASSWORD, name) == "credentials_invalid"
        assert sign_in(hall, NEW, name)

    @pytest.mark.parametrize("guessable", ["password1", "merdeka1945", "12345678", "qwertyuiop", "antrean123", "aaaaaaaaaaaa", "sarisari"])
    def test_one_that_is_soon_guessed_is_refused(self, hall, guessable):
        assert refused(set_password, hall, new=guessable, password=PASSWORD) == "payload_invalid"
        assert hall.sign_in()


class TestGuessing:
    def test_who_fails_again_and_again_waits_longer_and_longer(self, hall):
        waits = []
        for _ in range(FREE_ATTEMPTS + 4):
            with pytest.raises(CatalogError) as caught:
                sign_in(hall, "not the password")
            if caught.value.code == "sign_in_delayed":
                waits.append(caught.value.details["retry_after"])
                assert refused(hall.sign_in) == "sign_in_delayed", "the right one is not told from a wrong one meanwhile"
                hall.pass_by(timedelta(seconds=waits[-1]))
                assert refused(sign_in, hall, "not the password") == "credentials_invalid"
        assert waits == [1, 2, 4, 8]
        hall.pass_by(timedelta(seconds=16))
        assert hall.sign_in()
        assert refused(sign_in, hall, "not the password") == "credentials_invalid", "it begins anew"

    def test_a_name_that_nobody_has_is_treated_alike(self, hall):
        def told(name: str) -> list[str]:
            return [refused(sign_in, hall, "not the password", name) for _ in range(FREE_ATTEMPTS + 2)]

        assert told("sari") == told("nobody") == told("nobody@platform")

    def test_whoever_is_signed_in_works_on(self, hall):
        tokens = hall.sign_in()
        for _ in range(FREE_ATTEMPTS + 1):
            refused(sign_in, hall, "not the password")
        assert hall.refresh(tokens)

    def test_attempts_at_once_are_counted_one_by_one(self, hall):
        with ThreadPoolExecutor(12) as pool:
            told = list(pool.map(lambda _: refused(sign_in, hall, "not the password"), range(12)))
        assert told.count("credentials_invalid") == FREE_ATTEMPTS

    def test_guesses_at_codes_and_present_passwords_count_too(self, hall):
        for _ in range(FREE_ATTEMPTS - 1):
            assert refused(set_password, hall, code="0000-0000-0000-0000") == "credentials_invalid"
        assert refused(set_password, hall, password="not the password") == "credentials_invalid"
        assert refused(hall.sign_in) == "sign_in_delayed"

    def test_what_is_a_day_old_is_forgotten(self, hall):
        for _ in range(FREE_ATTEMPTS + 1):
            refused(sign_in, hall, "not the password", "nobody")
        hall.pass_by(timedelta(days=1, seconds=1))
        refused(sign_in, hall, "not the password")
        with hall.database.regency_work(hall.regency) as work:
            rows = work.execute(tables.sign_in_failure.select()).all()
        assert [(row.account, row.failures) for row in rows] == [(f"sari@{hall.regency}", 1)]
