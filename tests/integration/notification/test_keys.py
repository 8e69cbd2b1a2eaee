"""Changing the key: `mpp keys rotate` encrypts everything anew, and loses nothing that it cannot read."""

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from deploy.cli.keys import keys
from tests.integration.notification.sending import KEYS, Sending, today

pytestmark = pytest.mark.integration

OLD, NEW = KEYS[0], "a new key of 32 characters or more"


@pytest.fixture
def command(postgres_server, provisioner, login_url, monkeypatch):
    def run(*keys_in_use):
        monkeypatch.setenv("MPP_ENCRYPTION_KEYS", ",".join(keys_in_use))
        monkeypatch.setenv("MPP_NOTIFICATION_DATABASE_URL", login_url)
        return CliRunner().invoke(keys, ["rotate"])

    return run


def stored(sending):
    with sending.work() as work:
        secrets = work.execute(sa.text("SELECT secret FROM webhook UNION SELECT old_secret FROM webhook WHERE old_secret IS NOT NULL"))
        addresses = work.execute(sa.text("SELECT address, address_hash FROM subscription ORDER BY id"))
        return {*secrets.scalars()}, [tuple(row) for row in addresses]


def test_everything_is_encrypted_anew_and_works_without_the_old_key(sending, receiver, mailbox, command):
    webhook = sending.add_webhook(receiver.url)
    sending.do("rotate_webhook_secret", sending.settings, id=webhook["id"])
    told = today(("ticket.called", 1))
    made = sending.subscribe(told[0].ticket)
    before = stored(sending)

    done = command(NEW, OLD)
    assert done.exit_code == 0, done.output
    secrets, addresses = stored(sending)
    assert not secrets & before[0]
    assert len(secrets) == 2
    assert addresses[0][0] != before[1][0][0]
    assert addresses[0][1] != before[1][0][1]

    again = command(NEW, OLD)
    assert again.exit_code == 0
    assert again.output.startswith("0 encrypted anew")
    assert stored(sending) == (secrets, addresses)

    renewed = Sending(sending.database, sending.regency, mail_port=mailbox.port, keys=(NEW,))
    assert renewed.subscribe(told[0].ticket)["id"] == made["id"]  # found by its hash
    with renewed.dispatching():
        renewed.hear(told[1:])
        renewed.wait_states("delivered", "delivered")
    assert mailbox.letters[0].recipient == "budi@example.id"
    assert len(receiver.posted) == 1


def test_before_the_change_is_through_the_same_address_is_still_one_subscription(sending, mailbox):
    ticket = today()[0].ticket
    made = sending.subscribe(ticket)
    renewed = Sending(sending.database, sending.regency, mail_port=mailbox.port, keys=(NEW, OLD))
    assert renewed.subscribe(ticket)["id"] == made["id"]


def test_what_no_key_opens_is_left_as_it_is_and_told(sending, receiver, command):
    sending.add_webhook(receiver.url)
    sending.subscribe(today()[0].ticket)
    before = stored(sending)
    failed = command("a key that never encrypted anything")
    assert failed.exit_code == 1
    assert "cannot be read" in failed.output
    assert "Put the key that they need back" in failed.output
    assert stored(sending) == before
