"""One transaction on a pooled connection, in few round trips.

``BEGIN``, what the transaction is entered with and everything that was put off go together with the first statement
whose result is needed; what is put off at the end goes together with ``COMMIT``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import CursorResult, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from services.chassis.round_trips import BatchingConnection, Check, batching
from services.chassis.statements import Constant, Rows, TextStatement, constant

Refused = Callable[[BaseException], Exception | None]
"""Is given the driver's error of a message; returns what it means, ``None`` for nothing known."""

Result = CursorResult[Any] | Rows
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Transaction:
    """From ``BEGIN`` to ``COMMIT``."""

    def __init__(self, engine: Engine, enter: Constant, settings: Mapping[str, Any], scope: str, *, read_only: bool) -> None:
        """Take a connection and send nothing yet.

        :param enter: the statement that decides role, schema and timeouts, with its ``settings``.
        :param scope: whose tables statements then mean.
        """
        self.connection = engine.connect()
        self._begin = _BEGIN_READ_ONLY if read_only else _BEGIN
        self._enter = (enter, settings)
        self._scope = scope
        self._put_off: list[tuple[Constant, Mapping[str, Any], Check | None]] = []
        self._refused: list[Refused] = []
        self._fresh = True
        self._prepare()

    def execute(self, statement: Executable, parameters: Parameters = None) -> Result:
        """Run a statement after all that was put off, and call their checks."""
        if not isinstance(statement, TextStatement):
            return self._run(lambda: self.connection.execute(statement, parameters))
        known = constant(statement)
        if isinstance(parameters, Sequence):
            *others, parameters = parameters
            for each in others:
                self.later(known, each, None, None)
        return self._run_constant(known, parameters or {})

    def later(self, statement: Constant, parameters: Mapping[str, Any], check: Check | None, refused: Refused | None) -> None:
        """Have a statement run with the next."""
        self._driver.put_off(statement, parameters, check)
        self._put_off.append((statement, parameters, check))
        if refused is not None:
            self._refused.append(refused)

    def flush(self) -> None:
        """Run what was put off, and enter the transaction if that has not been done."""
        if self._put_off or self._fresh:
            self._run_constant(_NOTHING, {})

    def restart(self) -> None:
        """Roll back, and begin anew with the next statement."""
        self._driver.forget()
        self._put_off.clear()
        self._refused.clear()
        self.connection.rollback()
        self._driver.rollback()
        self._prepare()
        self._fresh = True

    def commit(self) -> None:
        """Run what was put off, and commit; checks are called before, and a dead connection is found before."""
        if self._fresh or any(check is not None for _, _, check in self._put_off):
            self.flush()
        self._run_constant(_COMMIT, {})

    def close(self) -> None:
        """Roll back what was not committed, and give the connection back."""
        if not self.connection.invalidated:
            self._driver.forget()
        self.connection.close()

    def _run_constant(self, statement: Constant, parameters: Mapping[str, Any]) -> Result:
        return self._run(lambda: self._past_sqlalchemy(statement, parameters))

    def _run(self, send: Callable[[], Result]) -> Result:
        try:
            result = self._send(send)
        except DBAPIError as error:
            self._raise_meaning(error)
            raise
        self._fresh = False
        self._put_off.clear()
        self._refused.clear()
        self._driver.check()
        return result

    def _send(self, send: Callable[[], Result]) -> Result:
        """Once more on a fresh connection if the pooled one had died and nothing has been run in this transaction."""
        try:
            return send()
        except DBAPIError as error:
            if not (self._fresh and error.connection_invalidated):
                raise
        self.connection.rollback()
        self._prepare()
        for each in self._put_off:
            self._driver.put_off(*each)
        return send()

    def _past_sqlalchemy(self, statement: Constant, parameters: Mapping[str, Any]) -> Rows:
        """Run a constant statement; an error is SQLAlchemy's all the same."""
        driver = self._driver
        try:
            return driver.run(statement, parameters)
        except psycopg.Error as error:
            if driver.closed:
                self.connection.invalidate(error)
            raise DBAPIError.instance(
                statement.text.decode(),
                None,
                error,
                psycopg.Error,
                hide_parameters=True,
                connection_invalidated=driver.closed,
                dialect=self.connection.dialect,
            ) from error
        except BaseException as stopped:
            if not isinstance(stopped, Exception):  # Ctrl-C, a thread that is killed: nobody knows what is still on the line
                self.connection.invalidate()
            raise

    @property
    def _driver(self) -> BatchingConnection:
        return batching(self.connection)

    def _prepare(self) -> None:
        driver = self._driver
        driver.scope = self._scope
        driver.put_off(self._begin, {})
        driver.put_off(*self._enter)

    def _raise_meaning(self, error: DBAPIError) -> None:
        for refused in self._refused:
            told = None if error.orig is None else refused(error.orig)
            if told is not None:
                raise told from error


_BEGIN = Constant(sa.text("BEGIN"), everywhere=True)
_BEGIN_READ_ONLY = Constant(sa.text("BEGIN READ ONLY"), everywhere=True)
_NOTHING = Constant(sa.text("SELECT"))
_COMMIT = Constant(sa.text("COMMIT"), everywhere=True)
