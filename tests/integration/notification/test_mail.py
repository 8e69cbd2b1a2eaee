"""A notice reaches a mailbox once or not at all, and never when it is no news any more."""

import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from services.chassis.errors import Busy, DomainError
from services.contracts import notification as contracts
from services.notification import store, tending, usecases
from services.notification.domain import Retries
from tests.integration.notification.sending import SERVED, Sending, today
from tests.processes import eventually

pytestmark = pytest.mark.integration


def test_a_citizen_is_told_what_happens_in_order_and_in_the_language_of_choice(sending, mailbox):
    told = today(*SERVED)
    sending.hear(told[:1])
    made = sending.subscribe(told[0].ticket)
    sending.subscribe(told[0].ticket, "wayan@example.org", locale="en", kinds=["completed"])
    with sending.dispatching():
        for number, happening in enumerate(told[1:]):
            sending.hear([happening])
            eventually(lambda: "pending" not in sending.states() and "sending" not in sending.states())
            assert number <= len(mailbox.letters)
        eventually(lambda: len(mailbox.letters) == 4)
    assert sorted(mailbox.subjects) == [
        "Nomor E-012 dipanggil",
        "Nomor E-012 dipanggil ulang",
        "Nomor E-012 selesai dilayani",
        "Number E-012 has been served",
    ]
    [first] = [letter for letter in mailbox.letters if letter.message["Subject"] == "Nomor E-012 dipanggil"]
    message = first.message
    assert (first.sender, first.recipient, message["To"]) == ("antrean@mpp.example.id", "budi@example.id", "budi@example.id")
    assert message["From"] == "MPP Lampung Timur <antrean@mpp.example.id>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[0-9a-f-]{36}@mpp\.example\.id>", message["Message-ID"])
    link = f"https://mpp.example.id/v1/{sending.regency}/subscriptions/{made['id']}/unsubscribe"
    assert (message["List-Unsubscribe"], message["List-Unsubscribe-Post"]) == (f"<{link}>", "List-Unsubscribe=One-Click")
    assert message.get_content_type() == "text/plain"
    assert message.get_content().splitlines()[0] == "Nomor E-012, silakan menuju loket 05 di sukadana."
    [last] = [letter.message.get_content() for letter in mailbox.letters if letter.recipient == "wayan@example.org"]
    assert "https://mpp.example.id" in last
    assert "survey" in last


def test_names_in_any_script_arrive_whole_and_can_add_no_header(sending, mailbox):
    told = today(("ticket.called", 1))
    sending.hear(told[:1])
    sending.subscribe(told[0].ticket)
    with sending.work() as work:
        store.keep_place_name(work, "site", "sukadana", "MPP Jum’at\r\nBcc: evil@example.org ᬩᬮᬶ", 1)
    with sending.dispatching():
        sending.hear(told[1:])
        sending.wait_states("delivered")
    [letter] = mailbox.letters
    assert letter.message["Bcc"] is None
    assert "MPP Jum’at" in letter.message.get_content()
    assert "ᬩᬮᬶ" in letter.message.get_content()


def test_nothing_old_is_told_and_nothing_before_the_subscription(sending, mailbox):
    told = today(*SERVED)
    sending.subscribe(told[1].ticket)  # the ticket is called already; the event of it arrives late
    with sending.dispatching():
        sending.hear([told[1], told[0]])
        sending.hear(told[3:])
        sending.wait_states("delivered")
    assert mailbox.subjects == ["Nomor E-012 selesai dilayani"]


def test_a_letter_that_waited_until_the_ticket_moved_on_is_not_sent(sending, mailbox):
    told = today(*SERVED)
    sending.subscribe(told[0].ticket)
    sending.hear(told[1:3])
    assert sending.states() == ["superseded", "pending"]
    sending.hear(told[3:4])  # being served: no letter of its own, but the call is history
    assert sending.states() == ["superseded", "superseded"]
    with sending.dispatching():
        sending.hear(told[4:])
        sending.wait_states("superseded", "superseded", "delivered")
    assert mailbox.subjects == ["Nomor E-012 selesai dilayani"]


def test_a_letter_overtaken_while_the_mail_server_hesitates_is_withdrawn(sending, mailbox):
    told = today(*SERVED)
    sending.subscribe(told[0].ticket, kinds=["called"])
    asked = threading.Event()

    def hesitate(address: str) -> str:
        asked.set()
        sending.hear(told[3:])  # while the server thinks about the recipient
        return "250 OK"

    mailbox.at_rcpt = hesitate
    with sending.dispatching():
        sending.hear(told[1:2])
        sending.wait_states("superseded")
    assert asked.is_set()
    assert mailbox.letters == []


@pytest.mark.parametrize("answer", ["450 4.2.0 mailbox of budi@example.id busy", "421 4.3.2 later"])
def test_what_the_server_puts_off_is_tried_again(sending, mailbox, answer):
    told = today(("ticket.called", 1))
    sending.subscribe(told[0].ticket)
    answers = [answer, answer, "250 OK"]
    mailbox.at_rcpt = lambda address: answers.pop(0)
    with sending.dispatching():
        sending.hear(told[1:])
        sending.wait_states("delivered")
    [delivery] = sending.deliveries()
    assert (delivery["attempts"], delivery["last_status"], len(mailbox.letters)) == (3, 250, 1)


def test_a_message_put_off_after_its_text_is_tried_again_and_kept_once(sending, mailbox):
    told = today(("ticket.called", 1))
    sending.subscribe(told[0].ticket)
    answers = ["451 4.3.0 try again", "250 OK"]
    mailbox.at_data = lambda: answers.pop(0)
    with sending.dispatching():
        sending.hear(told[1:])
        sending.wait_states("delivered")
    assert len(mailbox.letters) == 1


@pytest.mark.parametrize("where", ["at_rcpt", "at_data"])
def test_what_is_refused_for_good_fails_and_the_servers_words_are_kept_nowhere(sending, mailbox, where, caplog):
    caplog.set_level(logging.DEBUG)
    told = today(("ticket.called", 1))
    sending.subscribe(told[0].ticket)
    setattr(mailbox, where, lambda *_: "550 5.1.1 budi@example.id is unknown here")
    with sending.dispatching():
        sending.hear(told[1:])
        sending.wait_states("failed")
    [delivery] = sending.deliveries()
    assert (delivery["attempts"], delivery["last_status"]) == (1, 550)
    assert delivery["last_error"] == ("recipient_refused" if where == "at_rcpt" else "message_refused")
    assert_nowhere(sending, "budi")
    assert "budi@" not in "".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))


def test_an_answer_that_never_comes_leaves_it_uncertain_and_only_staff_repeat_it(sending, mailbox, monkeypatch):
    monkeypatch.setattr("services.notification.channels.mail.HANDING_OVER_SECONDS", 0.5)
    told = today(("ticket.called", 1))
    sending.subscribe(told[0].ticket)
    mailbox.data_delay = 1.5
    with sending.dispatching():
        sending.hear(told[1:])
        sending.wait_states("uncertain")
        eventually(lambda: len(mailbox.letters) == 1)
        mailbox.data_delay = 0.0
        [delivery] = sending.deliveries()
        assert delivery["last_error"] == "connection_lost"
        time.sleep(1.0)  # longer than any retry would wait
        assert len(mailbox.letters) == 1
        sending.do("redeliver", id=delivery["id"])
        sending.wait_states("delivered")
    assert len({letter.message["Message-ID"] for letter in mailbox.letters}) == 1


def test_while_the_mail_server_is_away_letters_wait(sending, mailbox):
    told = today(("ticket.called", 1))
    sending.subscribe(told[0].ticket)
    mailbox.stop()
    with sending.dispatching(retries=Retries(first=0.2, longest=0.5, attempts=100)):
        sending.hear(told[1:])
        eventually(lambda: sending.deliveries()[0]["last_error"] == "server_away")
        mailbox.start()
        sending.wait_states("delivered")
    assert len(mailbox.letters) == 1


def test_two_dispatchers_send_no_letter_twice_whatever_comes_again(sending, mailbox):
    journeys = [today(("ticket.called", 1)) for _ in range(20)]
    for told in journeys:
        sending.subscribe(told[0].ticket)
    with sending.dispatching(), sending.dispatching():
        for told in journeys:
            sending.hear([told[1], told[0], told[1]])
        eventually(lambda: sending.states().count("delivered") == 20, within=30)
    assert len(mailbox.letters) == len({letter.message["Message-ID"] for letter in mailbox.letters}) == 20


class TestSubscriptions:
    def test_the_same_address_again_changes_what_is_there(self, sending):
        ticket = today()[0].ticket
        first = sending.subscribe(ticket, "Budi@Example.ID")
        again = sending.subscribe(ticket, "Budi@example.id", locale="en", kinds=["called"])
        assert (again["id"], again["email"], again["locale"], again["kinds"]) == (first["id"], "B***@e***.id", "en", ["called"])

    def test_a_ticket_tells_few_addresses(self, sending):
        ticket = today()[0].ticket
        for number in range(3):
            sending.subscribe(ticket, f"a{number}@example.id")
        with pytest.raises(DomainError, match="subscription_limit_reached"):
            sending.subscribe(ticket, "a4@example.id")

    def test_what_has_ended_is_not_subscribed_to(self, sending):
        with pytest.raises(DomainError, match="ticket_state_conflict"):
            sending.subscribe(today(*SERVED)[-1].ticket)

    def test_an_event_that_comes_while_ticketing_is_asked_is_not_missed(self, sending):
        """Ticketing has told of the ticket being served; its end is handled before the address is written down."""
        happened = today(*SERVED)
        sending.hear(happened)
        with pytest.raises(Busy):
            sending.subscribe(happened[-2].ticket)
        assert sending.deliveries() == []

    def test_an_event_waits_for_a_subscription_under_way_and_finds_it(self, sending):
        happened = today(*SERVED)
        data = contracts.CreateSubscription().load({"ticket": happened[0].ticket["id"], "email": "budi@example.id"})
        with sending.work() as work, ThreadPoolExecutor(1) as thread:
            usecases.create_subscription(work, data, happened[-2].ticket, sending.settings)
            heard = thread.submit(sending.hear, happened[-1:])
            with pytest.raises(TimeoutError):
                heard.result(0.3)
            work.execute(sa.text("COMMIT"))
            heard.result(10)
        assert [each["event_type"] for each in sending.deliveries()] == ["mpp.ticket.completed"]

    def test_without_a_mail_server_the_channel_says_that_it_is_off(self, new_notification):
        made = new_notification()
        with pytest.raises(DomainError, match="mail_not_configured"):
            Sending(made.database, made.regency).subscribe(today()[0].ticket)

    def test_the_address_stands_nowhere_in_clear(self, sending):
        told = today(("ticket.called", 1))
        sending.subscribe(told[0].ticket, "budi.santoso@example.id")
        sending.hear(told)
        assert_nowhere(sending, "santoso")

    def test_ending_it_erases_the_address_and_what_was_on_its_way(self, sending):
        told = today(("ticket.called", 1))
        made = sending.subscribe(told[0].ticket)
        sending.hear(told[1:])
        sending.do("unsubscribe", id=made["id"])
        assert sending.deliveries() == []
        with sending.work() as work:
            assert work.execute(sa.text("SELECT count(*) FROM subscription")).scalar_one() == 0
        with pytest.raises(DomainError, match="subscription_unknown"):
            sending.do("unsubscribe", id=made["id"])

    def test_addresses_are_erased_some_days_after_the_end(self, sending):
        ended, going_on, unheard = today(*SERVED), today(("ticket.called", 1)), today()
        for told in (ended, going_on, unheard):
            sending.subscribe(told[0].ticket)
        sending.hear([*ended, *going_on])

        def left(days: int) -> int:
            with sending.work() as work:
                work.execute(
                    sa.text("UPDATE followed_ticket SET ended_at = now() - interval '1 day' * :days WHERE ended_at IS NOT NULL"),
                    {"days": days},
                )
            tending.tend(sending.database, ["webhook", "email"], 7)
            with sending.work() as work:
                return int(work.execute(sa.text("SELECT count(*) FROM subscription")).scalar_one())

        assert left(days=6) == 3
        assert left(days=8) == 2


def test_a_due_delivery_without_a_hint_is_found_by_the_round(sending, mailbox):
    told = today(("ticket.called", 1))
    sending.subscribe(told[0].ticket)
    sending.hear(told[1:])
    with sending.database.platform_work() as work:
        work.execute(sa.text("DELETE FROM platform.delivery_hint"))
    with sending.dispatching():
        tending.tend(sending.database, ["webhook", "email"], 7)
        sending.wait_states("delivered")
    own = f"/{sending.regency}/"  # other tests may have left letters, which the round finds too
    assert len([letter for letter in mailbox.letters if own in letter.message["List-Unsubscribe"]]) == 1


def assert_nowhere(sending, word: str) -> None:
    """No table of the regency holds the word in any column."""
    with sending.work() as work:
        tables = work.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")).scalars().all()
        assert "subscription" in tables
        for table in tables:
            if table.startswith(("migrations_of", "event_log_")):
                continue
            rows = work.execute(sa.text(f'SELECT CAST(t AS text) FROM "{table}" t')).scalars().all()
            assert not [row for row in rows if word in row], table
