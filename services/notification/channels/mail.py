"""Notices to citizens by e-mail: handed to a mail server once, and never again when it may have taken it.

Everything up to the server's go-ahead for the text may be repeated. Then the delivery is committed as *handing over*,
and only after that the text is sent: whoever finds it in that state later cannot know whether it arrived, and says so.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cached_property

from services.chassis.clock import Clock, SystemClock
from services.chassis.database import UnitOfWork
from services.chassis.delivery_settings import DeliverySettings
from services.chassis.encryption import Keyring, KeyUnknown
from services.chassis.errors import DomainError
from services.chassis.logs import get_logger
from services.chassis.time_limit import TimeLimitExceeded, time_limit
from services.notification import store
from services.notification.channels import settling
from services.notification.channels.channel import Attempt, HandOver, Parcel
from services.notification.domain import MAIL_RETRIES, Outcome, Places, Retries, letter_of, text_of, wording_of

log = get_logger(__name__)

ADDRESS_PURPOSE = "subscription.address"
WAIT_SECONDS = 10.0
PREPARING_SECONDS = 30.0
"""From connecting to the server's go-ahead, altogether."""

HANDING_OVER_SECONDS = 60.0
"""For the text and the server's word that it has it; servers that look for viruses take their time."""

LEASE = timedelta(seconds=180)
_GO_AHEAD = 354
_LEADING_DOT = re.compile(rb"(?m)^\.")

_LOST = (smtplib.SMTPException, OSError, TimeLimitExceeded, ValueError)


class MailChannel:
    """Sends the letters of a regency's subscriptions through one mail server."""

    name = "email"

    def __init__(
        self, settings: DeliverySettings, keyring: Keyring, *, clock: Clock | None = None, retries: Retries = MAIL_RETRIES
    ) -> None:
        if settings.mail_server is None:
            raise ValueError("no mail server is set")
        self._server = settings.mail_server
        self._public_url = settings.public_url
        self._from = settings.mail_from
        self._sender = parseaddr(settings.mail_from)[1]
        self._keyring = keyring
        self._clock = clock or SystemClock()
        self._retries = retries

    def claim(self, work: UnitOfWork, limit: int) -> list[Parcel]:
        """Take due letters."""
        return [Parcel.of(work.regency, row) for row in store.deliveries.claim_mail(work, limit, LEASE)]

    def hand_over(self, work: UnitOfWork, parcel: Parcel) -> bool:
        """Note that the text is about to be sent; false when the ticket has moved on or the letter is not ours."""
        return store.deliveries.hand_over(work, parcel.id, parcel.claim, LEASE)

    def settle(self, work: UnitOfWork, attempts: Sequence[Attempt]) -> dict[str, str]:
        """Write the outcomes down."""
        return settling.settle(work, attempts, self._retries)

    def deliver(self, parcel: Parcel, hand_over: HandOver) -> Outcome:
        """Hand one letter over."""
        if parcel.content["kind"] is None:
            return Outcome("failed", "notice_forgotten")
        try:
            recipient = self._keyring.decrypt(parcel.content["address"], ADDRESS_PURPOSE)
        except KeyUnknown:
            log.error("encryption_key_unknown", channel=self.name, regency=parcel.regency, subscription=parcel.content["subscription"])
            return Outcome("retry", "encryption_key_unknown", blameless=True)
        text = _on_the_wire(self.message(parcel, recipient))
        connection: smtplib.SMTP | None = None
        try:
            try:
                with time_limit(PREPARING_SECONDS):
                    connection = self._connect()
                    refusal = self._announce(connection, recipient)
            except _LOST as error:
                return _not_prepared(error)
            if refusal is not None:
                return refusal
            try:
                if not hand_over():
                    return Outcome("withdrawn")
            except DomainError as error:
                return Outcome("retry", error.code, blameless=True, passing=True)
            return _handed_over(connection, text)
        finally:
            if connection is not None:
                connection.close()

    def message(self, parcel: Parcel, recipient: str) -> EmailMessage:
        """Return the letter of a parcel: plain text, for one reader, with an id that stays the same at every attempt."""
        content = parcel.content
        places = Places(content["site_name"], content["counter_name"])
        notice = text_of(content["kind"], content["parameters"], places, content["locale"])
        link = f"{self._public_url}/v1/{parcel.regency}/subscriptions/{content['subscription']}/unsubscribe" if self._public_url else None
        wording, number = wording_of(content["kind"], content["parameters"]), content["parameters"]["number"]
        letter = letter_of(wording, notice, number, content["locale"], public_url=self._public_url)
        message = EmailMessage(policy=SMTP)
        message["From"] = self._from
        message["To"] = recipient
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{parcel.id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = content["locale"]
        if link is not None and link.startswith("https:"):
            message["List-Unsubscribe"] = f"<{link}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        else:
            message["List-Unsubscribe"] = f"<mailto:{self._sender}?subject=unsubscribe%20{content['subscription']}>"
        message.set_content(letter.text, cte="quoted-printable")
        return message

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "smtps":
            return smtplib.SMTP_SSL(server.host, server.port, local_hostname=self._domain, timeout=WAIT_SECONDS, context=self._tls)
        return smtplib.SMTP(server.host, server.port, local_hostname=self._domain, timeout=WAIT_SECONDS)

    def _announce(self, connection: smtplib.SMTP, recipient: str) -> Outcome | None:
        """Say who writes to whom; return ``None`` when the server gives its go-ahead for the text."""
        if self._server.security == "starttls":
            connection.starttls(context=self._tls)
        connection.ehlo_or_helo_if_needed()
        if self._server.user:
            connection.login(self._server.user, self._server.password)
        code, _ = connection.mail(self._sender)
        if code != 250:
            return Outcome("retry", "sender_refused", code)  # our own mistake, which somebody will see to
        code, _ = connection.rcpt(recipient)
        if code not in (250, 251):
            return _refused("recipient", code)
        code, _ = connection.docmd("DATA")
        return None if code == _GO_AHEAD else _refused("message", code)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def _handed_over(connection: smtplib.SMTP, text: bytes) -> Outcome:
    """Send the text and wait for the server's word; without it nobody knows."""
    try:
        with time_limit(HANDING_OVER_SECONDS):
            if connection.sock is not None:
                connection.sock.settimeout(HANDING_OVER_SECONDS)
            connection.send(text)
            code, _ = connection.getreply()
    except _LOST:
        return Outcome("uncertain", "connection_lost")
    return Outcome("delivered", status=code) if code == 250 else _refused("message", code)


def _refused(what: str, code: int) -> Outcome:
    """A temporary refusal (4xx) is tried again, a permanent one (5xx) is not. The server's words may hold the address."""
    return Outcome("failed", f"{what}_refused", code) if code >= 500 else Outcome("retry", f"{what}_deferred", max(0, code))


def _not_prepared(error: Exception) -> Outcome:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Outcome("retry", "login_refused", error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome("retry", "tls_or_login_not_offered")
    if isinstance(error, smtplib.SMTPResponseException):
        return Outcome("retry", "server_refused", max(0, error.smtp_code))
    if isinstance(error, ssl.SSLError):
        return Outcome("retry", "tls_failed")
    if isinstance(error, (TimeoutError, TimeLimitExceeded)):
        return Outcome("retry", "server_too_slow")
    return Outcome("retry", "server_away")


def _on_the_wire(message: EmailMessage) -> bytes:
    """Return a message as SMTP sends it: lines that begin with a dot get a second one, a lone dot ends it."""
    text = message.as_bytes(policy=SMTP)
    return _LEADING_DOT.sub(b"..", text if text.endswith(b"\r\n") else text + b"\r\n") + b".\r\n"
