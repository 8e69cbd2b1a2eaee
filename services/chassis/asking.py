"""Commands that need to know something of another service before they begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema

from services.chassis.context import CallContext
from services.chassis.entrypoints import Command, entrypoint
from services.chassis.extensions import RpcAccess

Ask = Callable[[Callable[..., Any], CallContext, dict[str, Any]], dict[str, Any]]
"""``ask(call, context, data)`` returns what the method is handed; ``call(service, method, payload, context)`` calls."""


class AskingCommand(Command):
    """Changes something, after another service was asked. That may take as long as the deadline: no turn and no
    connection is held meanwhile. A repeat asks again before it is answered from the first one's result."""

    rpc = RpcAccess()

    def __init__(self, schema: type[Schema], ask: Ask, **kwargs: Any) -> None:
        super().__init__(schema, **kwargs)
        self._ask = ask

    def handed(self, context: CallContext, data: dict[str, Any]) -> dict[str, Any]:
        """Return what ``ask`` makes of the payload."""
        return self._ask(self.rpc.client.call, context, data)


def asking_command(schema: type[Schema], *, ask: Ask) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, work, data) -> answer`` that changes something; ``ask`` makes its ``data`` of the payload."""
    return entrypoint(AskingCommand, schema=schema, ask=ask)
