"""What comes in as an address is checked before anybody thinks about it."""

import pytest

from services.contracts.notification import CreateSubscription, CreateWebhook
from services.contracts.schema import PayloadInvalid

pytestmark = pytest.mark.unit

TICKET = "0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f"


def rule(schema, **payload):
    with pytest.raises(PayloadInvalid) as refused:
        schema().load(payload)
    [error] = refused.value.details["errors"]
    return error["rule"]


@pytest.mark.parametrize(
    ("url", "broken"),
    [
        ("https://example.id/" + "a" * 10_000, "too_long"),
        ("", "too_short"),
        ("example.id", "url"),
        ("ftp://example.id/", "url"),
        ("https://example.id/a b", "url"),
        ("https://example.id/\r\nX: y", "unreadable_characters"),
        ("https://example.id/\x00", "unreadable_characters"),
        (["https://example.id/"], "not_text"),
    ],
)
def test_what_is_no_web_address_is_refused(url, broken):
    assert rule(CreateWebhook, url=url) == broken


@pytest.mark.parametrize(
    "email",
    [
        *("budi", "@example.id", "budi@", "budi@localhost", "budi@example..id", "budi@-example.id", "budi@example.id.", ".budi@example.id"),
        *("budi.@example.id", "b..i@example.id", "budi santoso@example.id", '"budi"@example.id', "budi@[127.0.0.1]", "budi@exämple.id"),
        *("büdi@example.id", "a" * 65 + "@example.id", "budi@example.id,eve@example.id", "Budi <budi@example.id>", "budi@example.1d2.3"),
    ],
)
def test_what_is_no_mail_address_is_refused(email):
    assert rule(CreateSubscription, ticket=TICKET, email=email) == "email_address"


@pytest.mark.parametrize("email", ["budi@example.id\r\nBcc: eve@example.org", "budi@example.id\n", "budi@example.id\x00"])
def test_what_could_add_a_header_is_refused(email):
    assert rule(CreateSubscription, ticket=TICKET, email=email) == "unreadable_characters"


@pytest.mark.parametrize("email", ["budi@example.id", "b.s+antrean@dinas.lampungtimurkab.go.id", "o'neil@xn--bcher-kva.example", "1@2.id"])
def test_usual_addresses_are_taken(email):
    loaded = CreateSubscription().load({"ticket": TICKET, "email": email})
    assert (loaded["email"], loaded["locale"], "completed" in loaded["kinds"]) == (email, "id", True)
