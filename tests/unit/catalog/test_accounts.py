"""When an account is valid, how long to wait after failed sign-ins, and the codes that people carry."""

import string
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from services.catalog.domain import (
    FREE_ATTEMPTS,
    LONGEST_DELAY,
    PAIRING_LIFE,
    CatalogError,
    begun_pairing,
    check_account,
    delay,
    end_of_validity,
    is_code,
    one_time_code,
    read_pairing,
    shown,
    typed_pairing_code,
)

pytestmark = pytest.mark.unit

SECRET, OTHER = b"a" * 32, b"b" * 32
NOW = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)
SERIAL = uuid.UUID("7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11")


class TestDays:
    @pytest.mark.parametrize(
        ("zone", "instant", "valid"),
        [
            ("Asia/Jakarta", "2026-03-10T16:59:59+00:00", False),
            ("Asia/Jakarta", "2026-03-10T17:00:00+00:00", True),
            ("Asia/Makassar", "2026-03-10T15:59:59+00:00", False),
            ("Asia/Makassar", "2026-03-10T16:00:00+00:00", True),
            ("Asia/Jakarta", "2026-03-12T16:59:59+00:00", True),
            ("Asia/Jakarta", "2026-03-12T17:00:00+00:00", False),
            ("Asia/Makassar", "2026-03-12T16:00:00+00:00", False),
        ],
    )
    def test_both_days_count_as_a_whole_by_the_regency_s_time(self, zone, instant, valid):
        days = ("2026-03-11", "2026-03-12", zone, datetime.fromisoformat(instant))
        if valid:
            assert end_of_validity(*days) == datetime(2026, 3, 12, 17 if zone == "Asia/Jakarta" else 16, tzinfo=UTC)
        else:
            with pytest.raises(CatalogError, match="account_not_valid"):
                end_of_validity(*days)

    def test_open_ends(self):
        assert end_of_validity(None, None, "Asia/Jakarta", NOW) is None
        assert end_of_validity("2026-03-11", None, "Asia/Jakarta", NOW) is None

    def test_the_last_is_not_before_the_first(self):
        check_account({"valid_from": "2026-03-11", "valid_until": "2026-03-11"})
        check_account({"valid_from": "2026-03-11", "valid_until": None})
        with pytest.raises(CatalogError, match="payload_invalid"):
            check_account({"valid_from": "2026-03-11", "valid_until": "2026-03-10"})


class TestDelay:
    def test_mistyping_costs_nothing(self):
        assert delay(FREE_ATTEMPTS - 1, NOW, NOW) == timedelta()

    def test_it_doubles_up_to_a_limit(self):
        seconds = [delay(FREE_ATTEMPTS + n, NOW, NOW).total_seconds() for n in range(10)]
        assert seconds == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
        assert delay(1_000_000, NOW, NOW) == LONGEST_DELAY

    def test_it_passes(self):
        assert delay(8, NOW, NOW + timedelta(seconds=5)) == timedelta(seconds=3)
        assert delay(8, NOW, NOW + timedelta(seconds=9)) == timedelta()
        assert delay(1000, NOW, NOW + timedelta(days=1)) == timedelta()

    def test_a_day_of_guessing(self):
        guesses, at = 0, NOW
        while at < NOW + timedelta(days=1):
            guesses, at = guesses + 1, at + max(delay(guesses + 1, at, at), timedelta(milliseconds=1))
        assert guesses < 310


class TestOneTimeCode:
    def test_it_is_typed_as_people_type(self):
        code = one_time_code(SECRET, "sari@oku-timur", SERIAL)
        assert len(code) == 19
        assert not set(code) & set("ILOU")
        for typed in (code, code.lower(), code.replace("-", ""), code.replace("-", " "), code.replace("0", "o").replace("1", "l")):
            assert is_code(typed, code)

    def test_another_account_serial_or_secret_has_another(self):
        code = one_time_code(SECRET, "sari@oku-timur", SERIAL)
        others = [
            one_time_code(SECRET, "dewi@oku-timur", SERIAL),
            one_time_code(SECRET, "sari@oku-timur", uuid.uuid4()),
            one_time_code(OTHER, "sari@oku-timur", SERIAL),
            "",
            "é" * 16,
            code[:-1],
        ]
        assert not any(is_code(other, code) for other in others)


class TestPairing:
    def test_a_device_code_leads_to_its_pairing(self):
        pairing = begun_pairing(SECRET, NOW)
        assert read_pairing((OTHER, SECRET), pairing.device_code) == pairing
        assert pairing.expires_at == NOW + PAIRING_LIFE

    @pytest.mark.parametrize("text", ["", "x", "é", "A" * 50, "A" * 49, "=" * 50])
    def test_other_texts_lead_nowhere(self, text):
        assert read_pairing((SECRET,), text) is None

    def test_a_forged_one_leads_nowhere(self):
        code = begun_pairing(SECRET, NOW).device_code
        for place in range(len(code) - 1):
            forged = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
            assert read_pairing((SECRET,), forged) is None
        assert read_pairing((OTHER,), code) is None

    def test_the_code_on_the_screen_is_typed_as_people_type(self):
        code = begun_pairing(SECRET, NOW).user_code
        for typed in (shown(code), code.lower(), f" {code[:3]} {code[3:]} "):
            assert typed_pairing_code(typed) == code

    def test_every_single_wrong_letter_is_noticed(self):
        code = begun_pairing(SECRET, NOW).user_code
        for place in range(8):
            for letter in set(string.ascii_uppercase) - {code[place]}:
                assert typed_pairing_code(code[:place] + letter + code[place + 1 :]) is None

    def test_codes_differ(self):
        pairings = [begun_pairing(SECRET, NOW) for _ in range(500)]
        assert len({each.user_code for each in pairings}) == len({each.session for each in pairings}) == 500
