"""Subscriptions as they are asked for: ticketing says whose ticket it is, before any transaction is opened here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from services.chassis import audit, commands
from services.chassis.context import CallContext
from services.chassis.database import Database, UnitOfWork
from services.chassis.encryption import Keyring
from services.chassis.entrypoints import own_regency
from services.chassis.settings import Settings
from services.notification import usecases
from services.notification.channels.mail import ADDRESS_PURPOSE

Data = dict[str, Any]


class Caller(Protocol):
    """Calls other services; ``services.chassis.rpc.RpcClient`` in a running process."""

    def call(self, service: str, method: str, payload: dict[str, Any], context: CallContext) -> Any:
        """Return the service's answer; raises a domain error, or ``Unavailable`` no later than the deadline."""
        ...


class Desk:
    """Where citizens subscribe: the database, who to ask, and the settings of this process."""

    def __init__(self, database: Database, rpc: Caller, settings: Settings) -> None:
        self._database = database
        self._rpc = rpc
        self._settings = settings

    def subscribe(self, context: CallContext, data: Data) -> Data:
        """Make a subscription; refuses as ticketing does with ``ticket_unknown`` and ``ticket_token_invalid``."""
        own_regency(context)
        ticket = self._ticket(context, data["ticket"], data.get("token"))
        # What is kept to recognise a repeat must not be a plain hash of an address.
        keyring = Keyring(self._settings.required_encryption_keys())
        asked = {**data, "email": keyring.hashes(data["email"], ADDRESS_PURPOSE)[0]}
        return self._once(
            context, "create_subscription", asked, lambda work: usecases.create_subscription(work, data, ticket, self._settings)
        )

    def look(self, context: CallContext, data: Data) -> Data:
        """Return a subscription."""
        found = self._found(context, data["id"])
        self._ticket(context, found["ticket"], data.get("token"))
        return found

    def end(self, context: CallContext, data: Data) -> Data:
        """Delete a subscription."""
        self.look(context, data)
        return self._once(context, "delete_subscription", data, lambda work: usecases.delete_subscription(work, data["id"]))

    def _ticket(self, context: CallContext, id: str, token: str | None) -> Data:
        payload = {"id": id} if token is None else {"id": id, "token": token}
        ticket: Data = self._rpc.call("ticketing", "get_ticket", payload, replace(context, command_id=None))
        return ticket

    def _found(self, context: CallContext, id: str) -> Data:
        with self._database.regency_work(own_regency(context), context=context, read_only=True) as work:
            return usecases.get_subscription(work, id)

    def _once(self, context: CallContext, method: str, data: Data, command: Callable[[UnitOfWork], Data]) -> Data:
        with self._database.regency_work(own_regency(context), context=context) as work:

            def audited() -> Data:
                answer = command(work)
                audit.record(work, method, data, answer)
                return answer

            return commands.once(work, method, data, audited) or {}
