"""A consumer's account at the gateway, with which it reads events again that it missed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deploy.outside.consumers import Consumer
from services.chassis.audit import CONSOLE
from services.chassis.context import CallContext
from services.chassis.errors import DomainError
from services.chassis.rpc import RpcClient
from services.chassis.settings import Settings

ROLE = "consumer"


class Accounts:
    """The catalogue's accounts of consumers."""

    def __init__(self, client: RpcClient) -> None:
        self._client = client

    def check_regency(self, regency: str) -> None:
        """Raise ``DomainError("regency_unknown")`` unless the platform has this regency."""
        self._client.call("catalog", "get_regency", {"regency": regency}, CallContext(regency=None, actor=CONSOLE))

    def exists(self, consumer: Consumer) -> bool:
        """Whether the consumer can sign in."""
        try:
            account = self._call("get_account", consumer, {"id": consumer.account})
        except DomainError as error:
            if error.code == "account_unknown":
                return False
            raise
        return bool(account["active"])

    def allow(self, consumer: Consumer, password: str) -> None:
        """Create the account, or open it again, with this password."""
        described = {"id": consumer.account, "role": ROLE, "display_name": consumer.name, "agencies": None, "active": True}
        try:
            self._call("create_account", consumer, {**described, "password": password})
        except DomainError as error:
            if error.code != "duplicate_id":
                raise
            self._call("update_account", consumer, {**described, "password": password})

    def withdraw(self, consumer: Consumer) -> bool:
        """Close the account; return whether it was open."""
        if not self.exists(consumer):
            return False
        self._call("update_account", consumer, {"id": consumer.account, "active": False})
        return True

    def _call(self, method: str, consumer: Consumer, payload: dict[str, Any]) -> dict[str, Any]:
        context = CallContext(regency=consumer.regency, actor=CONSOLE, command_id=uuid.uuid4().hex)
        answer: dict[str, Any] = self._client.call("catalog", method, payload, context)
        return answer


@contextmanager
def accounts(settings: Settings) -> Iterator[Accounts]:
    """Connect to the catalogue service of the running platform."""
    client = RpcClient(settings.required_broker_url(), "consumers")
    client.start()
    try:
        yield Accounts(client)
    finally:
        client.stop()
