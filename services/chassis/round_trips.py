"""Several statements in one message to PostgreSQL.

A round trip costs more than most of our statements: two system calls here, two there, and a change of thread. So a
statement whose result nobody needs yet is put off: it goes together with the next one whose result is needed, in the
same message and in the order in which they were given. The server runs them one after the other, each with its own
view of what is committed, and stops at the first that fails.

Such a message is a simple query, whose values psycopg binds on this side, with libpq's own quoting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.engine import Engine

Check = Callable[[int], None]
"""Is given the number of rows that a statement has written or found; may raise."""

_dialect: sa.Dialect = psycopg_dialect.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _Statement:
    text: str
    check: Check | None = None


class BatchingConnection(psycopg.Connection[Any]):
    """A connection that keeps what was put off until it sends the next statement.

    It never begins a transaction by itself; ``BEGIN`` is the first that is put off.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.waiting: list[_Statement] = []
        self.unchecked: list[tuple[Check, int]] = []
        self.cursor_factory = _BatchingCursor
        self._binder = psycopg.ClientCursor(self)

    def put_off(self, statement: sa.TextClause, parameters: Mapping[str, Any], check: Check | None = None) -> None:
        """Have a statement sent before the next one; ``check`` is called by :meth:`check` thereafter."""
        text, processors = _compiled(statement)
        values = {name: processors[name](value) if name in processors else value for name, value in parameters.items()}
        self.waiting.append(_Statement(self._binder.mogrify(text, values), check))

    def forget(self) -> None:
        """Send nothing of what was put off."""
        self.waiting.clear()
        self.unchecked.clear()

    def check(self) -> None:
        """Call the checks of what was sent, in its order; the first that raises ends it."""
        unchecked, self.unchecked = self.unchecked, []
        for check, rows in unchecked:
            check(rows)


class _BatchingCursor(psycopg.ClientCursor[Any]):
    _conn: BatchingConnection

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None) -> Self:
        """Send all that waits, and this; the result is that of this one."""
        ahead, self._conn.waiting = self._conn.waiting, []
        if not ahead:
            return super().execute(query, params, prepare=prepare, binary=binary)
        texts = [statement.text for statement in ahead]
        super().execute(";\n".join([*texts, self.mogrify(query, params)]))
        for index, statement in enumerate(ahead):
            if statement.check is not None:
                self._conn.unchecked.append((statement.check, self.set_result(index).rowcount))
        self.set_result(-1)
        return self

    def executemany(self, query: Any, params_seq: Any, *, returning: bool = False) -> None:
        """Send one statement for each set of values, in one message."""
        *others, last = params_seq
        self._conn.waiting += [_Statement(self.mogrify(query, params)) for params in others]
        self.execute(query, last)


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


@cache
def _compiled(statement: sa.TextClause) -> tuple[str, Mapping[str, Callable[[Any], Any]]]:
    """Return a constant of some store as psycopg wants it, and what turns its values into what psycopg knows."""
    compiled = statement.compile(dialect=_dialect)
    processors = {name: bound.type.dialect_impl(_dialect).bind_processor(_dialect) for name, bound in compiled.binds.items()}
    return str(compiled), {name: processor for name, processor in processors.items() if processor is not None}
