"""Devices that are paired by the code on their screen, and accounts that are good for some days and counters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from services.catalog.domain import PAIRING_LIFE, CatalogError
from services.catalog.store import tables
from services.catalog.usecases import entities, pairing
from services.chassis.context import CallContext
from services.contracts import catalog as contracts
from tests.integration.catalog.hall import Hall, claims_of

pytestmark = pytest.mark.integration


def begin(hall: Hall) -> dict[str, Any]:
    begun = pairing.begin(hall.use_cases, hall.database, CallContext(None))
    assert contracts.PairingBegun().load(begun) == begun
    return begun


def pair(hall: Hall, begun: dict[str, Any], name: str = "kios") -> dict[str, Any]:
    with hall.database.regency_work(hall.regency) as work:
        return pairing.pair(work, {"id": f"{name}@{hall.regency}", "user_code": begun["user_code"]})


def claim(hall: Hall, begun: dict[str, Any]) -> dict[str, Any]:
    return pairing.claim(hall.use_cases, hall.database, CallContext(None), {"device_code": begun["device_code"]})


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(CatalogError) as caught:
        call(*arguments, **named)
    return caught.value.code


class TestPairing:
    def test_a_device_is_signed_in_once_somebody_has_typed_its_code(self, hall):
        begun = begin(hall)
        assert refused(claim, hall, begun) == "pairing_pending"
        assert pair(hall, begun)["kind"] == "kiosk"
        tokens = claim(hall, begun)
        assert claims_of(tokens)["role"] == "kiosk"
        assert hall.refresh(tokens)

    def test_an_answer_that_was_lost_is_given_again_until_the_token_was_used(self, hall):
        begun = begin(hall)
        pair(hall, begun)
        first, second = claim(hall, begun), claim(hall, begun)
        assert first["refresh_token"] == second["refresh_token"]
        hall.refresh(first)
        assert refused(claim, hall, begun) == "pairing_expired"

    def test_what_was_signed_in_as_the_device_before_is_signed_out(self, hall):
        before = hall.sign_in("kios")
        begun = begin(hall)
        pair(hall, begun)
        assert hall.is_void(before)
        assert not hall.is_void(claim(hall, begun))

    def test_it_lasts_ten_minutes(self, hall):
        begun, late = begin(hall), begin(hall)
        pair(hall, begun)
        hall.pass_by(PAIRING_LIFE)
        assert refused(claim, hall, begun) == refused(claim, hall, late) == "pairing_expired"

    @pytest.mark.parametrize("code", ["", "GRTB", "AAAA-AAAA", "BBBB-BBBC", "'; DROP TABLE pairing"])
    def test_a_code_that_no_device_shows_is_refused(self, hall, code):
        assert refused(pair, hall, {"user_code": code}) == "payload_invalid"

    def test_a_code_is_for_one_device(self, hall):
        begun = begin(hall)
        pair(hall, begun)
        assert refused(pair, hall, begun) == "payload_invalid"
        assert refused(pair, hall, begin(hall), "nobody") == "device_unknown"

    def test_an_inactive_device_stays_out(self, hall):
        begun = begin(hall)
        pair(hall, begun)
        hall.change("device", "kios", active=False)
        assert refused(claim, hall, begun) == "pairing_expired"

    def test_a_regency_pairs_nothing_for_another_and_sees_nobody_s_codes(self, hall):
        foreign = {"user_code": "BBBBBBBB", "regency": "oku-timur", "device": "kiosk@oku-timur", "expires_at": datetime.now(UTC)}
        for statement in (tables.pairing.insert().values(**foreign).inline(), tables.pairing.select()):
            with pytest.raises(ProgrammingError), hall.database.regency_work(hall.regency) as work:
                work.execute(statement)

    def test_other_texts_are_no_device_codes(self, hall):
        for text in ("x", "A" * 50, begin(hall)["user_code"]):
            assert refused(claim, hall, {"device_code": text}) == "pairing_expired"


class TestAssignment:
    """The clock stands at 08:00 of 11 March 2026 in Jakarta."""

    def test_tokens_end_with_the_last_day(self, hall):
        hall.change("account", "sari", valid_from="2026-03-11", valid_until="2026-03-11")
        end = datetime(2026, 3, 11, 17, tzinfo=UTC)
        hall.pass_by(end - hall.clock.instant - timedelta(minutes=3))
        tokens = hall.sign_in()
        assert (claims_of(tokens)["exp"], tokens["expires_in"]) == (int(end.timestamp()), 180)
        assert claims_of(tokens)["hold"] == int(end.timestamp()), "also while the catalogue is away"
        hall.pass_by(timedelta(minutes=3))
        assert refused(hall.refresh, tokens) == "session_ended"
        assert refused(hall.sign_in) == "account_not_valid"

    def test_it_does_not_begin_early(self, hall):
        hall.change("account", "sari", valid_from="2026-03-12")
        assert refused(hall.sign_in) == "account_not_valid"
        hall.pass_by(timedelta(hours=16))
        assert hall.sign_in()

    def test_a_shortened_one_counts_at_once(self, hall):
        tokens = hall.sign_in()
        hall.change("account", "sari", valid_until="2026-03-10")
        assert hall.is_void(tokens)
        assert refused(hall.refresh, tokens) == "session_ended"

    def test_days_and_counters_are_checked(self, hall):
        assert refused(hall.change, "account", "sari", valid_from="2026-03-12", valid_until="2026-03-11") == "payload_invalid"
        assert refused(hall.change, "account", "sari", counters=["sukadana-05"]) == "reference_unknown"

    def test_the_token_names_the_counters(self, hall):
        with hall.database.regency_work(hall.regency) as work:
            site = {"id": "sukadana", "name": "MPP Uji", "timezone": "Asia/Jakarta"}
            entities.create(work, "site", contracts.CreateSite().load(site))
            counter = {"site": "sukadana", "number": 5, "agency": None, "services": []}
            entities.create(work, "counter", contracts.CreateCounter().load(counter))
        hall.change("account", "sari", counters=["sukadana-05"])
        assert claims_of(hall.sign_in())["counters"] == ["sukadana-05"]
