"""Handing a letter to a real mail server: over TLS, with a login, and what becomes of it when something is refused."""

import pytest

from services.chassis.delivery_settings import DeliverySettings, MailServer
from services.chassis.encryption import Keyring
from services.chassis.errors import DatabaseUnavailable
from services.notification.channels import MailChannel, Parcel
from services.notification.channels.mail import ADDRESS_PURPOSE
from services.notification.domain import Outcome
from tests.authority import Authority
from tests.receivers import Mailbox

pytestmark = pytest.mark.unit

KEYRING = Keyring(["k" * 32])
PUBLIC_URL = "https://mpp.example.id"


def channel(port, security="smtp", user="", password="", public_url=PUBLIC_URL):
    server = MailServer(security, "127.0.0.1", port, user, password)
    return MailChannel(DeliverySettings(mail_server=server, mail_from="MPP <antrean@mpp.example.id>", public_url=public_url), KEYRING)


def parcel(**differing):
    content = {
        "kind": "called",
        "parameters": {"number": "E-012", "site": "sukadana", "counter": "sukadana-05", "outcome": None},
        "site_name": None,
        "counter_name": None,
        "locale": "id",
        "subscription": "5b0c6c54-0f8e-4b3a-8d7e-1d2c3b4a5f60",
        "address": KEYRING.encrypt("budi@example.id", ADDRESS_PURPOSE),
        **differing,
    }
    return Parcel("lampung-timur", "01980a6e-3c52-7b1e-8c1d-2f6b7c9d0e1f", "claim", 0, content)


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # aiosmtpd overlooks TLS from the first byte
@pytest.mark.parametrize("security", ["smtps", "starttls"])
class TestTls:
    def box(self, authority, security, *names):
        context = authority.context(*names)
        return Mailbox(login=("mpp", "p@ss"), **({"tls": context} if security == "smtps" else {"starttls": context}))

    def test_with_the_right_login_it_is_taken(self, authority, security):
        with self.box(authority, security, "127.0.0.1") as box:
            assert channel(box.port, security, "mpp", "p@ss").deliver(parcel(), lambda: True) == Outcome("delivered", status=250)
            assert len(box.letters) == 1

    def test_with_a_wrong_one_it_waits_and_is_never_handed_over(self, authority, security):
        handed_over = []

        def hand_over():
            handed_over.append(True)
            return True

        with self.box(authority, security, "127.0.0.1") as box:
            outcome = channel(box.port, security, "mpp", "wrong").deliver(parcel(), hand_over)
        assert (outcome.result, outcome.error, outcome.status, handed_over) == ("retry", "login_refused", 535, [])

    def test_a_server_with_somebody_elses_certificate_is_told_nothing(self, authority, security):
        with self.box(authority, security, "elsewhere.example") as box:
            outcome = channel(box.port, security, "mpp", "p@ss").deliver(parcel(), lambda: True)
            assert (outcome.result, outcome.error, box.letters) == ("retry", "tls_failed", [])


def test_a_server_without_tls_is_not_told_a_password():
    with Mailbox() as box:
        outcome = channel(box.port, "starttls", "mpp", "p@ss").deliver(parcel(), lambda: True)
    assert (outcome.result, outcome.error) == ("retry", "tls_or_login_not_offered")


def test_what_must_not_be_handed_over_leaves_no_text_behind():
    with Mailbox() as box:
        assert channel(box.port).deliver(parcel(), lambda: False).result == "withdrawn"

        def away():
            raise DatabaseUnavailable("away")

        outcome = channel(box.port).deliver(parcel(), away)
        assert (outcome.result, outcome.blameless, outcome.passing) == ("retry", True, True)
        assert not box.arriving.is_set()


def test_a_key_that_is_not_known_is_said_so():
    other = Keyring(["x" * 32]).encrypt("budi@example.id", ADDRESS_PURPOSE)
    outcome = channel(1).deliver(parcel(address=other), lambda: True)
    assert outcome == Outcome("retry", "encryption_key_unknown", blameless=True)


def test_lines_that_begin_with_a_dot_arrive_as_they_are():
    with Mailbox() as box:
        channel(box.port).deliver(parcel(site_name=".\r\n.\r\n..MPP"), lambda: True)
        [letter] = box.letters
    assert letter.message.get_content().splitlines()[:3] == ["Nomor E-012, silakan menuju loket 05 di .", ".", "..MPP."]


def test_without_a_public_address_unsubscribing_goes_by_mail():
    message = channel(1, public_url="").message(parcel(), "budi@example.id")
    assert message["List-Unsubscribe"] == "<mailto:antrean@mpp.example.id?subject=unsubscribe%205b0c6c54-0f8e-4b3a-8d7e-1d2c3b4a5f60>"
    assert message["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize("address", ["budi@example.id\r\nBcc: evil@example.org", "budi@example.id\nX: y"])
def test_an_address_cannot_add_a_header(address):
    with pytest.raises(ValueError, match=r"linefeed|newline|carriage"):
        channel(1).message(parcel(), address)
