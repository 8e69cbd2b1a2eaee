"""Sessions of browsers: a cookie instead of a token in a page's hands.

The cookie holds the session's credential and an access token, which is verified like any other: no call, no store, the same
two seconds until a revocation is known, and a hall that goes on while the catalogue is away. When half of the token's life is
over the gateway that happens to be asked gets a new one and sets the cookie anew; tabs and gateways that do so at the same
moment do not get in each other's way, for the credential stays the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.wrappers import Request

from gateway.authentication import AccessTokens
from gateway.origin import network_of
from gateway.own_pages import is_encrypted, is_from_own_page, is_loopback
from gateway.problems import Refusal
from gateway.token_state import Services
from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.errors import DomainError
from services.chassis.logs import get_logger
from services.chassis.settings import Settings

CSRF_HEADER: Final = "CSRF-Token"
CSRF_FIELD: Final = "csrf_token"

MOST_COOKIE_BYTES: Final = 3_800
"""Browsers drop a longer cookie without a word (4,096 bytes with its name); then the token stays out, and is asked for each time."""

RENEWAL_SECONDS: Final = 1.5
"""Nobody waits longer for a token that is not needed yet."""

PAUSE_SECONDS: Final = 5.0
"""After a renewal that failed, tokens that are good are used without trying again."""

_VALUE = re.compile(r"([a-z0-9-]{1,60}\.[A-Za-z0-9_-]{1,100})~([A-Za-z0-9_.-]*)")

log = get_logger(__name__)


@dataclass(frozen=True)
class Visit:
    """A browser that shows a session."""

    credential: str
    actor: Actor
    cookie: str | None = None
    """What the answer has to set, when the session was carried on."""

    @property
    def csrf_token(self) -> str:
        """What pages of this session send with every change. Others' pages cannot know it: they cannot read the cookie."""
        digest = hmac.new(self.credential.encode(), b"mpp:csrf", hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class PageSessions:
    """Reads and carries on the sessions that browsers show."""

    def __init__(self, settings: Settings, rpc: Services, tokens: AccessTokens, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._rpc = rpc
        self._tokens = tokens
        self._now = now
        self._pause_until = float("-inf")

    def are_safe(self, request: Request) -> bool:
        """Whether a cookie may travel this way: by TLS, or without leaving this machine."""
        return self._cookie_name(request) is not None

    def visit(self, request: Request, client: str, *, needed: bool, count: Callable[[], None]) -> Visit | None:
        """Return the session that a browser shows, ``None`` without one.

        :param needed: whether anything depends on it; if not, a session that cannot be used at once counts as none.
        :param count: called before a look-up that a good token would have spared.
        :raises Refusal: ``token_invalid`` when the session is over; the answer takes the cookie away.
        :raises DomainError: the catalogue is away, and the token is good no more.
        """
        shown = self._shown(request)
        if shown is None:
            return None
        credential, text = shown
        token = self._tokens.good(text) if text else None
        if not needed or (token is not None and (self._now() < token.half_life or self._now() < self._pause_until)):
            return None if token is None else Visit(credential, token.actor)
        if token is None:
            count()
        try:
            seconds = self._settings.command_deadline if token is None else RENEWAL_SECONDS
            renewed = self._ask("renew_page_session", {"credential": credential}, client, seconds)
        except DomainError as error:
            if error.code == "session_ended":
                raise Refusal("token_invalid", headers={"Set-Cookie": self.forgotten(request)}) from error
            if token is None:
                raise
            self._pause_until = self._now() + PAUSE_SECONDS
            return Visit(credential, token.actor)
        return self.begun(request, renewed)

    def begun(self, request: Request, session: dict[str, Any]) -> Visit:
        """Return the visit of a session that the catalogue has just begun or carried on."""
        token = self._tokens.good(session["access_token"])
        if token is None:
            raise Refusal("service_unavailable", failing=["catalog"])  # its key or clock is not known here yet
        return Visit(session["credential"], token.actor, self._cookie(request, session))

    def sign_in(self, request: Request, client: str, username: str, password: str) -> Visit:
        """Begin a session, in place of any that the browser shows. Raises what the catalogue refuses."""
        proof = {"username": username, "password": password}
        visit = self.begun(request, self._ask("begin_page_session", proof, client, self._settings.command_deadline))
        self.end_former(request, client)
        return visit

    def end_former(self, request: Request, client: str) -> None:
        """End the session that a browser showed before it signed in: who planted it there is not signed in now."""
        former = self._shown(request)
        if former is not None:
            self.end(former[0], client, everywhere=False)

    def end(self, credential: str, client: str, *, everywhere: bool) -> str | None:
        """End the session, or all of the same account; return where to sign out as well. Nothing happens to one that is over."""
        payload = {"credential": credential, "everywhere": everywhere}
        try:
            ended = self._ask("end_page_session", payload, client, self._settings.command_deadline)
        except DomainError as error:
            if error.code != "session_ended":
                raise
            return None
        url: str | None = ended["logout_url"]
        return url

    def check_own_page(self, request: Request) -> None:
        """Raise ``Refusal("csrf_refused")`` for what another page has a browser send."""
        if not is_from_own_page(request, self._settings):
            raise Refusal("csrf_refused")

    def check_token(self, visit: Visit, shown: str | None) -> None:
        """Raise ``Refusal("csrf_refused")`` unless a page of this very session sends this."""
        if not hmac.compare_digest((shown or "").encode(), visit.csrf_token.encode()):
            raise Refusal("csrf_refused")

    def forgotten(self, request: Request) -> str:
        """Return the header that takes the cookie away."""
        return f"{self._cookie_name(request)}=; Max-Age=0{self._attributes(request)}"

    def flow(self, request: Request) -> str | None:
        """Return the note of a sign-in with an identity provider that this browser has begun."""
        name = self._cookie_name(request)
        return (request.cookies.get(f"{name}-flow") or None) if name is not None else None

    def flow_cookie(self, request: Request, flow: str, seconds: int) -> str:
        """Return the header that keeps such a note; no seconds take it away."""
        return f"{self._cookie_name(request)}-flow={flow}; Max-Age={seconds}{self._attributes(request)}"

    def _shown(self, request: Request) -> tuple[str, str] | None:
        name = self._cookie_name(request)
        value = request.cookies.get(name) if name is not None else None
        match = _VALUE.fullmatch(value) if value else None
        return None if match is None else (match[1], match[2])

    def _cookie(self, request: Request, session: dict[str, Any]) -> str:
        """No lifetime: it goes when the browser is closed. The catalogue knows when the session ends."""
        value = f"{session['credential']}~{session['access_token']}"
        if len(value) > MOST_COOKIE_BYTES:
            value = f"{session['credential']}~"
        return f"{self._cookie_name(request)}={value}{self._attributes(request)}"

    def _cookie_name(self, request: Request) -> str | None:
        """``__Host-``: only we, by TLS, can have set it, for all paths of this host alone (RFC 6265bis, 4.1.3.2).

        Without TLS the prefix is not to be had. On this machine the cookie goes without, under the port's name: cookies do not
        know ports, and two installations would sign each other out. Anywhere else there is none.
        """
        if is_encrypted(request, self._settings):
            return "__Host-mpp"
        if is_loopback(request):
            return f"mpp-loopback-{request.headers.get('Host', '').rpartition(':')[2]}".rstrip("]")
        return None

    def _attributes(self, request: Request) -> str:
        """Lax, not Strict: who comes back from an identity provider or from a link in a letter is still signed in."""
        return f"; Path=/; HttpOnly; SameSite=Lax{'; Secure' if is_encrypted(request, self._settings) else ''}"

    def _ask(self, method: str, payload: dict[str, Any], client: str, seconds: float) -> Any:
        context = CallContext(None, SYSTEM, client=network_of(client)).within(seconds)
        return self._rpc.call("catalog", method, payload, context)
