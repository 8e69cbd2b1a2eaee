"""One transaction on a pooled connection, in few round trips.

``BEGIN``, what the transaction is entered with and everything that was put off go together with the first statement
whose result is needed; what is put off at the end goes together with ``COMMIT``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from services.chassis.round_trips import Check, batching

Refused = Callable[[BaseException], Exception | None]
"""Is given the driver's error of a message; returns what it means, ``None`` for nothing known."""


class Transaction:
    """From ``BEGIN`` to ``COMMIT``."""

    def __init__(self, engine: Engine, enter: sa.TextClause, settings: Mapping[str, Any], *, read_only: bool) -> None:
        """Take a connection and send nothing yet.

        :param enter: the statement that decides role, schema and timeouts, with its ``settings``.
        """
        self.connection = engine.connect()
        self._begin = _BEGIN_READ_ONLY if read_only else _BEGIN
        self._enter = (enter, settings)
        self._put_off: list[tuple[sa.TextClause, Mapping[str, Any], Check | None]] = []
        self._refused: list[Refused] = []
        self._fresh = True
        self._prepare()

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a statement after all that was put off, and call their checks."""
        try:
            result = self._execute(statement, parameters)
        except DBAPIError as error:
            self._raise_meaning(error)
            raise
        self._fresh = False
        self._put_off.clear()
        self._refused.clear()
        batching(self.connection).check()
        return result

    def later(self, statement: sa.TextClause, parameters: Mapping[str, Any], check: Check | None, refused: Refused | None) -> None:
        """Have a statement run with the next."""
        batching(self.connection).put_off(statement, parameters, check)
        self._put_off.append((statement, parameters, check))
        if refused is not None:
            self._refused.append(refused)

    def flush(self) -> None:
        """Run what was put off, and enter the transaction if that has not been done."""
        if self._put_off or self._fresh:
            self.execute(_NOTHING)

    def restart(self) -> None:
        """Roll back, and begin anew with the next statement."""
        batching(self.connection).forget()
        self._put_off.clear()
        self._refused.clear()
        self.connection.rollback()
        self._prepare()
        self._fresh = True

    def commit(self) -> None:
        """Run what was put off, and commit; checks are called before, and a dead connection is found before."""
        if self._fresh or any(check is not None for _, _, check in self._put_off):
            self.flush()
        self.execute(_COMMIT)
        self.connection.commit()

    def close(self) -> None:
        """Roll back what was not committed, and give the connection back."""
        if not self.connection.invalidated:
            batching(self.connection).forget()
        self.connection.close()

    def _execute(self, statement: Executable, parameters: Any) -> CursorResult[Any]:
        """Once more on a fresh connection if the pooled one had died and nothing has been run in this transaction."""
        try:
            return self.connection.execute(statement, parameters)
        except DBAPIError as error:
            if not (self._fresh and error.connection_invalidated):
                raise
        self.connection.rollback()
        self._prepare()
        for each in self._put_off:
            batching(self.connection).put_off(*each)
        return self.connection.execute(statement, parameters)

    def _prepare(self) -> None:
        batching(self.connection).put_off(self._begin, {})
        batching(self.connection).put_off(*self._enter)

    def _raise_meaning(self, error: DBAPIError) -> None:
        for refused in self._refused:
            told = None if error.orig is None else refused(error.orig)
            if told is not None:
                raise told from error


_BEGIN = sa.text("BEGIN")
_BEGIN_READ_ONLY = sa.text("BEGIN READ ONLY")
_NOTHING = sa.text("SELECT")
_COMMIT = sa.text("COMMIT")
