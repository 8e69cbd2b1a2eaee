"""Roles, channels, agencies and ticket tokens."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.authorisation import ROLES
from services.contracts.catalog.entities import CHANNELS
from services.contracts.ticketing import IssuedTicket
from services.ticketing import domain
from services.ticketing.domain import QueueRefusal

pytestmark = pytest.mark.unit

ALL_ROLES = (*ROLES, "anonymous", "citizen", "system")
MAY_ISSUE = {
    "anonymous": {"web"},
    "citizen": {"web"},
    "kiosk": {"kiosk"},
    "display": set(),
    "auditor": set(),
    "consumer": set(),
    **{role: set(CHANNELS) for role in ("officer", "front_desk", "supervisor", "administrator", "operator", "system")},
}
SECRET = "s" * 32
TICKET = "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"


def code(act, *arguments):
    with pytest.raises(QueueRefusal) as caught:
        act(*arguments)
    return caught.value.code


def test_a_device_issues_at_its_own_site_only():
    domain.check_device_site("sukadana", "sukadana")
    domain.check_device_site(None, "sukadana")
    assert code(domain.check_device_site, "sukadana", "way-jepara") == "channel_not_allowed"


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("role", ALL_ROLES)
def test_channels_of_each_role(role, channel):
    if channel in MAY_ISSUE[role]:
        domain.check_channel(role, channel)
    else:
        assert code(domain.check_channel, role, channel) == "channel_not_allowed"


def test_a_role_that_nobody_knows_may_nothing():
    assert code(domain.check_channel, "stranger", "web") == "channel_not_allowed"
    assert code(domain.check_role, "stranger", domain.STAFF_ROLES) == "role_forbidden"


def test_an_officer_acts_for_the_own_agencies():
    domain.check_agency(("CPL", "SOS"), "SOS")
    domain.check_agency(None, "KES")
    assert code(domain.check_agency, ("CPL", "SOS"), "KES") == "agency_forbidden"
    assert code(domain.check_agency, (), "KES") == "agency_forbidden"


class TestTicketToken:
    def test_is_the_same_each_time_so_that_a_lost_answer_can_be_repeated(self):
        assert domain.ticket_token(SECRET, TICKET) == domain.ticket_token(SECRET, TICKET)

    def test_carries_128_bits_that_depend_on_secret_and_ticket(self):
        tokens = {domain.ticket_token(secret, ticket) for secret in (SECRET, SECRET + "x") for ticket in (TICKET, TICKET.replace("7", "8"))}
        hashes = {base64.urlsafe_b64decode(token + "=")[16:] for token in tokens}
        assert len(tokens) == len(hashes) == 4
        assert {len(part) for part in hashes} == {16}

    def test_does_not_show_the_ticket(self):
        assert TICKET[:8] not in domain.ticket_token(SECRET, TICKET)

    def test_fits_its_contract(self):
        assert not IssuedTicket(only=["token"]).validate({"token": domain.ticket_token(SECRET, TICKET)})

    def test_opens_its_own_ticket_only(self):
        domain.check_ticket_token(SECRET, TICKET, domain.ticket_token(SECRET, TICKET))
        other = domain.ticket_token(SECRET, TICKET.replace("7", "8"))
        assert code(domain.check_ticket_token, SECRET, TICKET, other) == "ticket_token_invalid"

    @given(st.uuids(), st.text(min_size=1, max_size=40))
    def test_leads_to_its_ticket(self, ticket, secret):
        assert domain.ticket_of_token(secret, domain.ticket_token(secret, str(ticket))) == str(ticket)

    @given(st.integers(0, 42), st.sampled_from("ABCXYZabcxyz019-_"))
    def test_leads_nowhere_with_a_single_letter_changed(self, place, letter):
        token = domain.ticket_token(SECRET, TICKET)
        forged = token[:place] + letter + token[place + 1 :]
        if forged != token:
            assert code(domain.ticket_of_token, SECRET, forged) == "ticket_token_invalid"

    @given(st.text(max_size=60) | st.binary(max_size=48).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
    def test_nothing_else_leads_to_a_ticket(self, text):
        assert code(domain.ticket_of_token, SECRET, text) == "ticket_token_invalid"

    @given(st.none() | st.text(max_size=60))
    def test_nothing_else_opens_it(self, token):
        assert code(domain.check_ticket_token, SECRET, TICKET, token) == "ticket_token_invalid"
