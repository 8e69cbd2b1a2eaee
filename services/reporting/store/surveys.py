"""Answered surveys: what reporting knows first-hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.database import UnitOfWork
from services.reporting.domain import ELEMENTS, Tally
from services.reporting.store.tables import survey, ticket_fact

Filters = Mapping[str, Any]


_OF_VISITS = sa.text("""
    SELECT CAST(id AS text) AS id, CAST(visit AS text) AS visit, submitted_at, comment FROM survey
    WHERE visit = ANY(CAST(:visits AS uuid[])) ORDER BY submitted_at
""")
_ERASE_COMMENTS = sa.text("""
    UPDATE survey SET comment = NULL FROM unnest(CAST(:visits AS uuid[]), CAST(:instants AS timestamptz[])) AS erased(visit, at)
    WHERE survey.visit = erased.visit AND comment IS NOT NULL AND submitted_at <= erased.at
""")


def surveys_of_visits(work: UnitOfWork, visits: Sequence[str]) -> list[dict[str, Any]]:
    """Return ``id``, ``visit``, ``submitted_at`` and ``comment`` of the answers of visits."""
    return [dict(row) for row in work.execute(_OF_VISITS, {"visits": list(visits)}).mappings()]


def erase_comments(work: UnitOfWork, erased: Mapping[str, datetime]) -> None:
    """Erase what was written of visits up to an instant each; the scores stay."""
    work.execute(_ERASE_COMMENTS, {"visits": list(erased), "instants": list(erased.values())})


def insert_survey(work: UnitOfWork, answered: Mapping[str, Any], scores: Mapping[str, int]) -> bool:
    """Store an answer unless its visit has one; tell whether it was stored. Who comes second waits for the first."""
    by_column = {f"score_{element}": score for element, score in scores.items()}
    statement = upsert(survey).values(**answered, **by_column).on_conflict_do_nothing(index_elements=["visit"])
    return work.execute(statement.returning(survey.c.id)).first() is not None


def survey_page(work: UnitOfWork, filters: Filters, after: tuple[datetime, str] | None, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` answers with ``scores`` and comment, newest first, behind ``(submitted_at, id)``.

    :param filters: also ``since`` and ``until``, dates of the visits.
    """
    statement = sa.select(survey).order_by(survey.c.submitted_at.desc(), survey.c.id.desc()).limit(limit)
    for name, value in filters.items():
        place = survey.c["business_date" if name in ("since", "until") else name]
        statement = statement.where(place >= value if name == "since" else place <= value if name == "until" else place == value)
    if after is not None:
        here = sa.tuple_(sa.literal(after[0]), sa.cast(after[1], UUID(as_uuid=False)))
        statement = statement.where(sa.tuple_(survey.c.submitted_at, survey.c.id) < here)
    return [_with_scores(dict(row)) for row in work.execute(statement).mappings()]


def _with_scores(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "scores": {element: row[f"score_{element}"] for element in ELEMENTS if row[f"score_{element}"] is not None}}


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
