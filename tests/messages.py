"""What a service sends to PostgreSQL, message by message."""

from __future__ import annotations

from typing import Any

import pytest

from services.chassis.round_trips import BatchingConnection


def watched(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Return a list to which every message is added from now on, with its statements (``text``, ``values``, ``types``)."""
    messages: list[list[Any]] = []
    send = BatchingConnection.send

    def noted(connection: BatchingConnection) -> Any:
        messages.append(list(connection._waiting))
        return send(connection)

    monkeypatch.setattr(BatchingConnection, "send", noted)
    return messages


def first_words(message: list[Any]) -> list[str]:
    """Return what kind of statements a message has: ``["BEGIN", "SELECT"]``."""
    return [statement.text.split()[0].decode() for statement in message]
