"""Answered surveys: what reporting knows first-hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.reporting.domain import ELEMENTS, Tally
from services.reporting.store.tables import survey, ticket_fact


def insert_survey(work: UnitOfWork, answered: Mapping[str, Any], scores: Mapping[str, int]) -> bool:
    """Store an answer unless its visit has one; tell whether it was stored. Who comes second waits for the first."""
    by_column = {f"score_{element}": score for element, score in scores.items()}
    statement = upsert(survey).values(**answered, **by_column).on_conflict_do_nothing(index_elements=["visit"])
    return work.execute(statement.returning(survey.c.id)).first() is not None


def tallies(work: UnitOfWork, since: date, until: date, filters: Mapping[str, str]) -> tuple[int, dict[str, Tally]]:
    """Return the number of respondents, and the tally of each element, of visits within a period."""
    statement = sa.select(
        sa.func.count().label("respondents"),
        *(sa.func.coalesce(sa.func.sum(survey.c[f"score_{element}"]), 0).label(f"total_{element}") for element in ELEMENTS),
        *(sa.func.count(survey.c[f"score_{element}"]).label(f"answers_{element}") for element in ELEMENTS),
    ).where(*_within(survey, since, until, filters))
    row = work.execute(statement).mappings().one()
    return row["respondents"], {element: Tally(row[f"total_{element}"], row[f"answers_{element}"]) for element in ELEMENTS}


def served_visits(work: UnitOfWork, since: date, until: date, filters: Mapping[str, str]) -> int:
    """Return how many visits within a period had a ticket completed."""
    visits = sa.func.count(sa.distinct(sa.func.coalesce(ticket_fact.c.visit, ticket_fact.c.id)))
    within = _within(ticket_fact, since, until, filters)
    return int(work.execute(sa.select(visits).where(ticket_fact.c.status == "completed", *within)).scalar_one())


def _within(table: sa.Table, since: date, until: date, filters: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    return [table.c.business_date.between(since, until), *(table.c[column] == value for column, value in filters.items())]
