"""Several statements in one message to PostgreSQL, each of them prepared once.

A round trip costs more than most of our statements: two system calls here, two there, and a change of thread. So a
statement whose result nobody needs yet is put off: it goes together with the next one whose result is needed, in the
same message and in the order in which they were given. The server runs them one after the other, each with its own
view of what is committed, and stops at the first that fails.

Reading and planning a statement costs PostgreSQL more than running it. So constants of a store are prepared, once for
each regency that a connection serves: a plan is one for the tables that the names meant when it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from itertools import count
from typing import Any, NamedTuple, Self

import psycopg
import sqlalchemy as sa
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult
from psycopg.waiting import Wait
from sqlalchemy.engine import Engine

from services.chassis.statements import Constant, Rows, row_count

Check = Callable[[int], None]
"""Is given the number of rows that a statement has written or found; may raise."""

PREPARED_AT_MOST = 8000
"""Statements that one connection keeps prepared, some twenty for each regency that it serves. Those of further regencies are
read and planned each time, until the connection is renewed."""

_OK = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)

_Key = tuple[str, bytes, tuple[int, ...]]
"""For whose tables, the text, its values' types: what a prepared statement holds for."""


class _Bound(NamedTuple):
    """A statement with its values."""

    text: bytes
    values: list[Buffer | None]
    types: tuple[int, ...]
    formats: Any = None
    scope: str | None = None
    """For whose tables it is kept; ``None`` for one that is not kept."""
    check: Check | None = None


class BatchingConnection(psycopg.Connection[Any]):
    """A connection that keeps what was put off until it sends the next statement.

    It never begins a transaction by itself; ``BEGIN`` is the first that is put off.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.scope = ""
        """Whose tables the names in statements mean."""
        self.cursor_factory = _BatchingCursor
        self._waiting: list[_Bound] = []
        self._unchecked: list[tuple[Check, int]] = []
        self._transformer = Transformer(self)
        self._names: dict[_Key, bytes] = {}
        self._numbers = count()

    def put_off(self, statement: Constant, parameters: Mapping[str, Any], check: Check | None = None) -> None:
        """Have a statement sent before the next one; ``check`` is called by :meth:`check` thereafter."""
        values, types = statement.bind(parameters, self._transformer)
        scope = "" if statement.everywhere else self.scope
        self._waiting.append(_Bound(statement.text, values, types, scope=scope, check=check))

    def run(self, statement: Constant, parameters: Mapping[str, Any]) -> Rows:
        """Send all that waits, and this; return the result of this one."""
        self.put_off(statement, parameters)
        return statement.rows(self.send(), self._transformer)

    def put_off_bound(self, text: bytes, values: Any, types: tuple[int, ...], formats: Any) -> None:
        """Have a statement sent before the next one that need not be kept."""
        self._waiting.append(_Bound(text, values, types, formats))

    def forget(self) -> None:
        """Send nothing of what was put off."""
        self._waiting.clear()
        self._unchecked.clear()

    def check(self) -> None:
        """Call the checks of what was sent, in its order; the first that raises ends it."""
        unchecked, self._unchecked = self._unchecked, []
        for check, rows in unchecked:
            check(rows)

    def send(self) -> PGresult:
        """Send all that waits and return the result of the last; raises the error of the first that fails."""
        statements, self._waiting = self._waiting, []
        try:
            results = self.wait(self._exchange(statements))
        except BaseException:
            self.close()  # answers may be left that belong to nobody
            raise
        for result in results:
            if result.status not in _OK:
                error = psycopg.errors.error_from_result(result, self.info.encoding)
                if error.diag.source_function == "RevalidateCachedQuery":
                    self.close()  # a migration has changed what a prepared statement returns
                raise error
        if len(results) < len(statements):
            raise psycopg.OperationalError("connection lost")
        self._unchecked += [(each.check, row_count(result)) for each, result in zip(statements, results, strict=True) if each.check]
        return results[-1]

    def _exchange(self, statements: list[_Bound]) -> Generator[Wait, int, list[PGresult]]:
        """Send statements in one message and return a result for each, until one has failed."""
        pgconn = self.pgconn
        pgconn.enter_pipeline_mode()
        prepared: dict[_Key, bytes] = {}
        keys = [key for statement in statements for key in self._ask(statement, prepared)]
        pgconn.pipeline_sync()
        while pgconn.flush():
            if (yield Wait.RW) & Wait.R:
                pgconn.consume_input()
        answers = yield from self._answers()
        results = []
        for key, answer in zip(keys, answers, strict=False):
            if key is None or answer.status not in _OK:
                results.append(answer)
            else:
                self._names[key] = prepared[key]
        if pgconn.status == pq.ConnStatus.OK:
            pgconn.exit_pipeline_mode()
        return results

    def _ask(self, statement: _Bound, prepared: dict[_Key, bytes]) -> Generator[_Key | None]:
        """Hand one statement to libpq, which keeps it; yield what each answer will be to: preparing a key, or ``None``."""
        text, values, types, formats, scope, _ = statement
        key = (scope or "", text, types)
        name = None if scope is None else self._names.get(key) or prepared.get(key)
        if name is None and scope is not None and len(self._names) + len(prepared) < PREPARED_AT_MOST:
            name = prepared[key] = b"s%d" % next(self._numbers)
            self.pgconn.send_prepare(name, text, types)
            yield key
        if name is None:
            self.pgconn.send_query_params(text, values, types, formats)
        else:
            self.pgconn.send_query_prepared(name, values)
        yield None

    def _answers(self) -> Generator[Wait, int, list[PGresult]]:
        """Return all answers to a message; fewer when an error has ended the connection."""
        pgconn, answers = self.pgconn, list[PGresult]()
        while True:
            try:
                while pgconn.is_busy():
                    yield Wait.R
                    pgconn.consume_input()
            except psycopg.OperationalError:
                if answers and answers[-1].status not in _OK:
                    return answers
                raise
            answer = pgconn.get_result()
            if answer is None:  # after each answer
                if pgconn.status != pq.ConnStatus.OK:
                    return answers
            elif answer.status == pq.ExecStatus.PIPELINE_SYNC:
                return answers
            else:
                answers.append(answer)


class _BatchingCursor(psycopg.Cursor[Any]):
    """What SQLAlchemy runs statements with that it has put together."""

    _conn: BatchingConnection

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None) -> Self:
        """Send all that waits, and this; the result is that of this one."""
        self._reset()
        self._tx = Transformer(self)
        self._put_off(query, params)
        self._set_results([self._conn.send()])
        return self

    def executemany(self, query: Any, params_seq: Any, *, returning: bool = False) -> None:
        """Send one statement for each set of values, in one message."""
        *others, last = params_seq
        self._tx = Transformer(self)
        for params in others:
            self._put_off(query, params)
        self.execute(query, last)

    def _put_off(self, query: Any, params: Any) -> None:
        converted = self._convert_query(query, params)
        values = None if converted.params is None else list(converted.params)
        self._conn.put_off_bound(converted.query, values, converted.types, converted.formats)


def engine(url: sa.URL, **options: Any) -> Engine:
    """Return an engine whose connections can put statements off and begin no transaction themselves."""
    made = sa.create_engine(url, isolation_level="AUTOCOMMIT", **options)

    @sa.event.listens_for(made, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: list[Any], more: dict[str, Any]) -> Any:
        return BatchingConnection.connect(*arguments, **more)

    return made


def batching(connection: sa.Connection) -> BatchingConnection:
    """Return the driver's connection below SQLAlchemy's."""
    driver: BatchingConnection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver
