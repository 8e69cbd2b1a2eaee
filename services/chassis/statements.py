"""Statements of stores as PostgreSQL takes them: compiled once, with their values' and their results' conversions.

A constant of some store goes to the driver as it is, past SQLAlchemy's execution; what comes back are SQLAlchemy's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from psycopg.abc import Buffer, Transformer
from psycopg.adapt import PyFormat
from psycopg.pq.abc import PGresult
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

_INT2, _INT4 = 21, 23

_dialect: sa.Dialect = psycopg_dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

TextStatement = sa.TextClause | sa.TextualSelect
"""Text of a store: a constant (``tests/unit/chassis/test_parameterised_sql.py``). Others SQLAlchemy puts together each time."""


class Rows(IteratorResult[Any]):
    """The result of a constant statement."""

    def __init__(self, metadata: SimpleResultMetaData, rows: list[Any], rowcount: int) -> None:
        super().__init__(metadata, iter(rows))
        self.rowcount = rowcount
        """How many rows were found or written."""


class Constant:
    """A statement that stands in some store."""

    def __init__(self, statement: TextStatement, *, everywhere: bool = False) -> None:
        """Compile it.

        :param everywhere: it means the same whoever's tables are wanted: it names none.
        """
        self.everywhere = everywhere
        compiled = statement.compile(dialect=_dialect)
        self.text = str(compiled).encode()
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._formats = [PyFormat.TEXT] * len(self._names)
        types = {name: bound.type.dialect_impl(_dialect) for name, bound in compiled.binds.items()}
        into = {name: kind.bind_processor(_dialect) for name, kind in types.items()}
        self._into = {name: processor for name, processor in into.items() if processor is not None}
        columns = compiled._result_columns if isinstance(statement, sa.TextualSelect) else ()
        self._from = {column.keyname: column.type.dialect_impl(_dialect).result_processor(_dialect, None) for column in columns}
        self._metadata: dict[tuple[bytes, ...], SimpleResultMetaData] = {}

    def bind(self, parameters: Mapping[str, Any], transformer: Transformer) -> tuple[list[Buffer | None], tuple[int, ...]]:
        """Return the values in PostgreSQL's text form with their types; raises ``KeyError`` for one that is missing.

        An integer has the type that it would have as a number in the text.
        """
        into = self._into
        values = [into[name](parameters[name]) if name in into else parameters[name] for name in self._names]
        dumped = list(transformer.dump_sequence(values, self._formats))
        return dumped, tuple(_INT4 if kind == _INT2 else kind for kind in transformer.types or ())

    def rows(self, result: PGresult, transformer: Transformer) -> Rows:
        """Return what came back."""
        names = tuple(result.fname(index) or b"" for index in range(result.nfields))
        metadata = self._metadata.get(names)
        if metadata is None:
            metadata = self._metadata[names] = self._described(tuple(name.decode() for name in names))
        transformer.set_pgresult(result)
        found = transformer.load_rows(0, result.ntuples, tuple) if names else [()] * result.ntuples
        return Rows(metadata, found, row_count(result))

    def _described(self, names: tuple[str, ...]) -> SimpleResultMetaData:
        processors = [self._from.get(name) for name in names]
        return SimpleResultMetaData(names, _processors=processors if any(processors) else None)


def row_count(result: PGresult) -> int:
    """Return how many rows a statement has found or written."""
    return result.ntuples or result.command_tuples or 0


@cache
def constant(statement: TextStatement) -> Constant:
    """Return a statement of some store, compiled."""
    return Constant(statement)
