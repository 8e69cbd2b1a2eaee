"""Green processes that send: killed before and after handing over, slow peers, real TLS."""

import os
import subprocess
import sys
import time

import psycopg
import pytest
import sqlalchemy as sa

from services.notification import usecases
from tests.authority import Authority
from tests.integration.notification.sending import KEYS, today
from tests.processes import CHECKOUT, eventually
from tests.receivers import HttpReceiver, Mailbox, Reply

pytestmark = [pytest.mark.integration, pytest.mark.first]

CALLED = (("ticket.called", 1),)


class DispatchingProcess:
    """One process with a dispatcher; its log in a file."""

    def __init__(self, login_url, folder, **variables):
        self.log = folder / f"dispatching-{time.monotonic_ns()}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MPP_")},
            "MPP_NOTIFICATION_DATABASE_URL": login_url,
            "MPP_ENCRYPTION_KEYS": KEYS[0],
            "MPP_MAIL_FROM": "MPP <antrean@mpp.example.id>",
            "MPP_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "MPP_WEBHOOK_ALLOW_HTTP": "true",
            "MPP_LOG_LEVEL": "DEBUG",
            **variables,
        }
        command = [sys.executable, "-W", "ignore", "-m", "tests.integration.notification.dispatching_process"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self._ticking = self.process.stdout
        os.set_blocking(self._ticking.fileno(), False)
        self.output = b""
        eventually(lambda: self.ticks() > 0, within=40)

    def ticks(self):
        """How often the process's other threads had a turn."""
        self.output += self._ticking.read() or b""
        if self.process.poll() is not None:
            raise AssertionError(self.log.read_text())
        return self.output.count(b"\n")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._ticking.close()


@pytest.fixture
def dispatching(login_url, tmp_path):
    """Starts processes, and kills those that are left."""
    started = []

    def start(**variables):
        started.append(DispatchingProcess(login_url, tmp_path, **variables))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


def end_leases(sending):
    """Let time pass: leases of this regency end, and somebody looks."""
    with sending.work() as work:
        work.execute(sa.text("UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL"))
        work.execute(sa.text("INSERT INTO platform.delivery_hint (regency, due_at) VALUES (:slug, now())"), {"slug": sending.regency})


class DatabaseAway:
    """A time in which a login is let in no more, and those inside are thrown out."""

    def __init__(self, admin_url, login_url):
        self.admin_url = admin_url
        self.login = sa.make_url(login_url).username
        self.began = False

    def begin(self):
        self._tell(f"ALTER ROLE {self.login} NOLOGIN")
        self._tell("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (self.login,))
        self.began = True

    def end(self):
        self._tell(f"ALTER ROLE {self.login} LOGIN")

    def _tell(self, statement, parameters=None):
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement, parameters)


def smtp(mailbox, scheme="smtp", login=""):
    return {"MPP_SMTP_URL": f"{scheme}://{login}127.0.0.1:{mailbox.port}"}


def test_killed_before_handing_over_the_letter_is_sent_by_the_next_process(sending, mailbox, dispatching):
    told = today(*CALLED)
    sending.subscribe(told[0].ticket)
    first = dispatching(**smtp(mailbox))

    def hang(address):
        first.process.kill()
        return "250 OK"

    mailbox.at_rcpt = hang
    sending.hear(told[1:])
    eventually(lambda: first.process.poll() is not None)
    first.kill()
    assert sending.states() == ["sending"]
    mailbox.at_rcpt = lambda address: "250 OK"
    end_leases(sending)
    dispatching(**smtp(mailbox))
    sending.wait_states("delivered")
    assert len(mailbox.letters) == 1


def test_killed_while_handing_over_the_letter_is_uncertain_and_not_sent_again(sending, mailbox, dispatching):
    told = today(*CALLED)
    sending.subscribe(told[0].ticket)
    mailbox.data_delay = 30.0
    first = dispatching(**smtp(mailbox))
    sending.hear(told[1:])
    assert mailbox.arriving.wait(15)
    assert sending.states() == ["handing_over"]
    first.kill()
    end_leases(sending)
    dispatching(**smtp(mailbox))
    sending.wait_states("uncertain")
    assert [delivery["last_error"] for delivery in sending.deliveries()] == ["process_ended"]
    assert len(mailbox.letters) == 1


def test_a_letter_that_found_the_database_away_goes_out_when_it_is_back(sending, mailbox, dispatching, postgres_server, login_url):
    """Neither lost, nor uncertain, nor put off for long: the server had not been given the text."""
    told, outage = today(*CALLED), DatabaseAway(postgres_server.admin_url, login_url)
    sending.subscribe(told[0].ticket)
    process = dispatching(**smtp(mailbox))

    def away(address):
        outage.begin()
        mailbox.at_rcpt = lambda address: "250 OK"
        return "250 OK"

    mailbox.at_rcpt = away
    sending.hear(told[1:])
    eventually(lambda: outage.began and "outcomes_wait" in process.log.read_text(), within=20)
    assert not mailbox.arriving.is_set(), "the text was sent though nothing could be written down"
    outage.end()
    sending.wait_states("delivered")
    assert len(mailbox.letters) == 1


def test_killed_while_posting_the_event_is_sent_again_under_its_id(sending, dispatching):
    with HttpReceiver(Reply(delay=30.0)) as receiver:
        sending.add_webhook(receiver.url)
        first = dispatching()
        sending.hear(today())
        eventually(lambda: receiver.posted)
        first.kill()
        receiver.reply = lambda posted: Reply()
        end_leases(sending)
        dispatching()
        sending.wait_states("delivered")
        assert receiver.ids == [sending.deliveries()[0]["event_id"]] * 2


def test_two_processes_send_what_comes_twice_and_in_any_order_once(sending, mailbox, dispatching):
    journeys = [today(*CALLED) for _ in range(20)]
    with HttpReceiver() as receiver:
        sending.add_webhook(receiver.url)
        for told in journeys:
            sending.subscribe(told[0].ticket)
        dispatching(**smtp(mailbox))
        dispatching(**smtp(mailbox))
        envelopes = [[happening.envelope(sending.regency) for happening in told] for told in journeys]
        for issued, called in envelopes:
            for event in (called, issued, called, issued):
                with sending.work() as work:
                    usecases.apply_ticket_events(work, [event])
        eventually(lambda: sending.states().count("delivered") == 60, within=30)
        assert sorted(receiver.ids) == sorted(event.id for pair in envelopes for event in pair)
    assert len(mailbox.letters) == len({letter.message["Message-ID"] for letter in mailbox.letters}) == 20


def test_a_receiver_that_drips_is_cut_off_and_holds_nobody_up(sending, dispatching):
    with HttpReceiver(Reply(manner="drip")) as dripping, HttpReceiver() as quick:
        sending.add_webhook(dripping.url, events=["ticket.issued"])
        process = dispatching()
        sending.hear(today())
        eventually(lambda: dripping.posted)
        sending.add_webhook(quick.url)
        before = process.ticks()
        sending.hear(today(*CALLED))
        eventually(lambda: len(quick.posted) == 2, within=5)
        eventually(lambda: "too_slow" in {delivery["last_error"] for delivery in sending.deliveries()}, within=25)
        assert process.ticks() - before > 50


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_over_tls_the_certificate_is_for_the_name_and_from_somebody_trusted(sending, dispatching, authority):
    with HttpReceiver(tls=authority.context("localhost")) as right, HttpReceiver(tls=authority.context("elsewhere.example")) as wrong:
        urls = {f"https://localhost:{right.port}/": "delivered", f"https://localhost:{wrong.port}/": "tls_failed"}
        webhooks = {sending.add_webhook(url)["id"]: expected for url, expected in urls.items()}
        process = dispatching(SSL_CERT_FILE=str(authority.file))
        sending.hear(today())
        eventually(lambda: outcomes(sending, webhooks) == webhooks)
        assert wrong.posted == []
        assert right.posted[0].headers["host"] == f"localhost:{right.port}"
        process.kill()
        sending.hear(today())
        dispatching()  # trusts the system's authorities only
        [trusted] = [webhook for webhook, expected in webhooks.items() if expected == "delivered"]
        eventually(lambda: "tls_failed" in {delivery["last_error"] for delivery in sending.to_webhook(trusted)})
        assert len(right.posted) == 1


def outcomes(sending, webhooks):
    return {delivery["webhook"]: delivery["last_error"] or delivery["state"] for delivery in sending.deliveries()}


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("scheme", ["smtps", "starttls"])
def test_mail_goes_over_tls_with_a_login(sending, dispatching, authority, scheme):
    context, told = authority.context("127.0.0.1"), today(*CALLED)
    with Mailbox(login=("mpp", "p@ss"), **({"tls": context} if scheme == "smtps" else {"starttls": context})) as box:
        sending.subscribe(told[0].ticket)
        sending.hear(told[1:])
        process = dispatching(**smtp(box, scheme, "mpp:wrong@"), SSL_CERT_FILE=str(authority.file))
        eventually(lambda: sending.deliveries()[0]["last_error"] == "login_refused")
        process.kill()
        with sending.work() as work:
            work.execute(sa.text("UPDATE delivery SET next_attempt_at = now()"))
        end_leases(sending)
        dispatching(**smtp(box, scheme, "mpp:p%40ss@"), SSL_CERT_FILE=str(authority.file))
        sending.wait_states("delivered")
        assert len(box.letters) == 1
