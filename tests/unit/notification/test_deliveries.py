"""Signatures, pauses and verdicts."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.domain import (
    KINDS,
    MAIL_RETRIES,
    WEBHOOK_RETRIES,
    Outcome,
    key_of,
    letter_of,
    masked,
    new_secret,
    pause_reason,
    rest_after,
    seconds_of_retry_after,
    signature_of,
    signed_headers,
    verdict_of_status,
)
from tests.processes import CHECKOUT

pytestmark = pytest.mark.unit

NOW = datetime(2025, 6, 11, 1, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def largest(low, high):
    return high


def test_signatures_are_those_of_standard_webhooks():
    # The vector that the libraries of Standard Webhooks test themselves with.
    signature = signature_of(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_new_secret_has_the_length_that_the_standard_asks_for():
    assert new_secret() != new_secret()
    assert new_secret().startswith("whsec_")
    assert 24 <= len(key_of(new_secret())) <= 64


def test_each_valid_secret_signs():
    headers = signed_headers([SECRET, new_secret()], "id", 1, b"{}")
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("id", "1")
    assert [part[:3] for part in headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]


@pytest.mark.parametrize("retries", [WEBHOOK_RETRIES, MAIL_RETRIES])
@given(attempts=st.integers(1, 500), share=st.floats(0, 1))
def test_pauses_grow_to_a_limit_and_have_full_jitter(retries, attempts, share):
    pause = retries.pause_after(attempts, lambda low, high: low + share * (high - low))
    assert 0 <= pause <= retries.longest
    assert retries.pause_after(attempts, lambda low, high: low) == 0
    assert retries.pause_after(attempts, largest) == min(retries.longest, retries.first * 2 ** (attempts - 1))


def test_a_webhook_is_tried_for_about_a_day():
    mean = sum(WEBHOOK_RETRIES.pause_after(attempt, largest) / 2 for attempt in range(1, WEBHOOK_RETRIES.attempts))
    assert 20 * 3600 < mean < 30 * 3600
    assert WEBHOOK_RETRIES.over(WEBHOOK_RETRIES.attempts)
    assert not WEBHOOK_RETRIES.over(WEBHOOK_RETRIES.attempts - 1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome("delivered", None, 200)),
        (299, Outcome("delivered", None, 299)),
        (301, Outcome("retry", "redirected", 301)),
        (304, Outcome("retry", "redirected", 304)),
        (400, Outcome("retry", "status_400", 400)),
        (410, Outcome("gone", "gone", 410)),
        (429, Outcome("retry", "status_429", 429, 7.0)),
        (500, Outcome("retry", "status_500", 500)),
        (503, Outcome("retry", "status_503", 503, 7.0)),
        (100, Outcome("retry", "status_100", 100)),
    ],
)
def test_what_a_status_means(status, outcome):
    assert verdict_of_status(status, 7.0) == outcome


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("99999999999999999999", 86_400.0),
        ("Wed, 11 Jun 2025 01:01:00 GMT", 60.0),
        ("Wed, 11 Jun 2025 00:59:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("1" * 101, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(value, seconds):
    assert seconds_of_retry_after(value, NOW) == seconds


def test_a_receiver_rests_after_some_failures_in_a_row():
    assert [rest_after(failures, largest) for failures in (0, 1, 4, 5, 6, 7, 100)] == [0, 0, 0, 5, 10, 20, 900]


@pytest.mark.parametrize(
    ("result", "failures", "hours", "reason"),
    [
        ("gone", 1, 0, "gone"),
        ("retry", 15, 24, "failures"),
        ("retry", 14, 24, None),
        ("retry", 500, 23, None),
        ("retry", 1, 100, None),
    ],
)
def test_a_receiver_that_is_gone_or_fails_for_a_day_is_paused(result, failures, hours, reason):
    assert pause_reason(Outcome(result), failures, NOW - timedelta(hours=hours), NOW) == reason


@pytest.mark.parametrize(("address", "shown"), [("budi@example.id", "b***@e***.id"), ("a@b.co.id", "a***@b***.id")])
def test_an_address_is_shown_masked(address, shown):
    assert masked(address) == shown


@pytest.mark.parametrize("locale", ["id", "en"])
@pytest.mark.parametrize("wording", sorted({*KINDS.values(), "transferred"}))
def test_every_letter_names_the_number_and_only_the_last_one_asks_for_an_opinion(wording, locale):
    letter = letter_of(wording, "The notice.", "E-012", locale, public_url="https://mpp.example.id")
    assert "E-012" in letter.subject
    assert letter.text.startswith("The notice.\n\n")
    assert ("https://mpp.example.id" in letter.text) == (wording == "completed")
    assert "://" not in letter_of(wording, "The notice.", "E-012", locale, public_url="").text


class TestTheReceiversProgram:
    """What the README tells receivers to do, as it stands there."""

    @pytest.fixture
    def is_genuine(self):
        [program] = re.findall(r"```python\n(import base64.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
        assert len(program.strip().splitlines()) <= 12, "the README promises a short program"
        names: dict[str, Any] = {}
        exec(program, names)  # noqa: S102 - our own README
        return names["is_genuine"]

    def test_it_takes_what_is_signed_and_fresh(self, is_genuine):
        secret, body = new_secret(), b'{"type": "mpp.ticket.called"}'
        assert is_genuine(secret, signed_headers([secret], "id", int(time.time()), body), body)
        assert is_genuine(secret, signed_headers([new_secret(), secret], "id", int(time.time()), body), body)

    def test_it_refuses_what_was_changed_is_old_or_comes_from_others(self, is_genuine):
        secret, body = new_secret(), b'{"type": "mpp.ticket.called"}'
        headers = signed_headers([secret], "id", int(time.time()), body)
        assert not is_genuine(secret, headers, body + b" ")
        assert not is_genuine(secret, {**headers, "webhook-id": "other"}, body)
        assert not is_genuine(new_secret(), headers, body)
        assert not is_genuine(secret, signed_headers([secret], "id", int(time.time()) - 400, body), body)
