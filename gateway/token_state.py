"""What this gateway knows of access tokens: the keys that verify them, and which are void before they expire.

It asks the catalogue every two seconds. A question that is asked again and again has no message to miss: whatever was away,
gateway, broker or catalogue, the next answer is whole. While the catalogue does not answer nobody can be signed in or
revoked there either; then tokens hold on (claim ``hold``), so that a hall goes on working.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jwt

from services.chassis.context import SYSTEM, CallContext
from services.chassis.errors import DomainError
from services.chassis.logs import get_logger

log = get_logger(__name__)

ASK_SECONDS = 2.0
"""A revocation is heard of within this time and an answer's way."""

STALE_SECONDS = 15.0
"""Without an answer for so long, the catalogue counts as away."""

RPC_SECONDS = 4.0
KEYS_PAUSE_SECONDS = 1.0
"""A token whose key is unknown makes a gateway ask at once, but not more often than this."""


class Services(Protocol):
    """Calls services."""

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        """Return the service's answer."""
        ...


class TokenState:
    """Keys and revocations, kept up to date by a thread of their own."""

    def __init__(self, rpc: Services, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rpc = rpc
        self._monotonic = monotonic
        self._asking = threading.Lock()
        self._stopping = threading.Event()
        self._keys: dict[str, jwt.PyJWK] = {}
        self.public: list[dict[str, Any]] = []
        """The JSON Web Keys as they were told."""
        self._sessions: frozenset[str] = frozenset()
        self._versions: Mapping[str, int] = {}
        self._asked_at = self._heard_at = float("-inf")

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._run, name="token-state", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.ask()
            except Exception:
                log.exception("token_state_failed")
            self._stopping.wait(ASK_SECONDS)

    def ask(self) -> None:
        """Ask the catalogue once; what was known stays known when it does not answer."""
        with self._asking:
            self._asked_at = self._monotonic()
            try:
                context = CallContext(None, SYSTEM).within(RPC_SECONDS)
                told = self._rpc.call("catalog", "get_token_state", {}, context)
            except DomainError as error:
                log.warning("token_state_unknown", code=error.code)
                return
            if told["keys"] != self.public:
                self._keys = {key["kid"]: jwt.PyJWK(key) for key in told["keys"]}
                self.public = told["keys"]
            self._sessions = frozenset(each["session"] for each in told["revocations"] if each["session"])
            self._versions = _newest(told["revocations"])
            self._heard_at = self._monotonic()

    def age(self) -> float:
        """Return for how many seconds the catalogue has not answered; infinite when it never did."""
        return self._monotonic() - self._heard_at

    @property
    def is_stale(self) -> bool:
        """Whether the catalogue counts as away."""
        return self.age() > STALE_SECONDS

    def key(self, identifier: str) -> jwt.PyJWK | None:
        """Return the key of an id; asks at once when it is new here."""
        found = self._keys.get(identifier)
        if found is None and self._monotonic() - self._asked_at >= KEYS_PAUSE_SECONDS:
            self.ask()
            found = self._keys.get(identifier)
        return found

    def has_key(self, identifier: str) -> bool:
        """Whether a key is still one of ours; asks nobody."""
        return identifier in self._keys

    def is_revoked(self, subject: str, session: str, version: int) -> bool:
        """Whether tokens of this session, or of this version of the account, are void."""
        return session in self._sessions or version < self._versions.get(subject, 0)


def _newest(revocations: list[dict[str, Any]]) -> Mapping[str, int]:
    newest: dict[str, int] = {}
    for each in revocations:
        if each["version"] is not None:
            newest[each["subject"]] = max(each["version"], newest.get(each["subject"], 0))
    return newest
