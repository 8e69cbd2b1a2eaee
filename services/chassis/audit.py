"""The audit log: who did what to what, written in the action's own transaction, and never changed afterwards.

One row for each object that an action has changed, with those of its members that differ, before and after; one row for an
action that changed nothing, and for one that was refused because the actor may not do it. Staff are named by account,
things by id. No row holds a person's name, a password, a secret or what a citizen wrote: of such members it says only
*that* they changed. Rows stand on their own: they are kept longer than the events that tell of the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.context import Actor, CallContext
from services.chassis.database import Database, UnitOfWork, Work
from services.chassis.errors import DomainError, Unavailable
from services.chassis.logs import get_logger
from services.contracts.problems import PROBLEMS

log = get_logger(__name__)

UNAUDITED_ROLES = frozenset({"anonymous", "citizen", "system"})
"""Roles that are nobody's account. Devices and staff of every rank are audited; a citizen with a slip is not: what becomes of
a ticket stands in its events, and who held the slip is nobody's business."""

CONSOLE = Actor("console@platform", "operator")
"""Whoever runs `mpp` on the platform's own machines: it asks nobody for an account."""

WITHHELD = "(withheld)"
"""Stands for a value that the audit log must not hold."""

_FORBIDDEN = HTTPStatus.FORBIDDEN

_RECORD = sa.text("""
    INSERT INTO audit_log (at, actor, role, action, kind, subject, site, agency, counter, before, after,
        refused, command_id, client, traceparent)
    VALUES (:at, :actor, :role, :action, :kind, :subject, :site, :agency, :counter, CAST(:before AS jsonb), CAST(:after AS jsonb),
        :refused, :command_id, :client, :traceparent)
""")

_LONGEST_ID = 100
_KINDS = {
    **dict.fromkeys(("call", "in", "printing", "priority", "show"), "ticket"),
    "next": "counter",
    "secret": "webhook",
    "sessions": "account",
    "redeliver": "delivery",
    "unsubscribe": "subscription",
}
"""Objects of actions whose names do not end with their kind."""

_PLACE = ("site", "agency", "counter")


@dataclass(frozen=True, slots=True)
class Change:
    """What an action made of one object."""

    kind: str
    id: str | None
    before: Mapping[str, Any] | None
    """Members that differ; ``None`` for an object that was not there."""
    after: Mapping[str, Any] | None
    """The same members afterwards; ``None`` for an object that is gone."""
    place: Mapping[str, str | None]
    """``site``, ``agency`` and ``counter``, as far as they are known."""


def concerns(context: CallContext) -> bool:
    """Whether what the caller does is audited."""
    return context.actor.role not in UNAUDITED_ROLES


def note(
    work: UnitOfWork,
    kind: str,
    id: str,
    difference: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    place: Mapping[str, str | None] | None = None,
) -> None:
    """Say what the action under way makes of an object; several notes of the same object become one.

    :param difference: what differs, before and after; ``None`` where there is no object.
    :param place: ``site``, ``agency`` and ``counter`` of the object.
    """
    if concerns(work.context):
        work.noted.append(Change(kind, id, *difference, place or {}))


def differing(before: Mapping[str, Any], after: Mapping[str, Any], withheld: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the members of two states of an object that differ, as they were and as they are."""
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return without(withheld, {name: before.get(name) for name in names}), without(withheld, {name: after.get(name) for name in names})


def without(withheld: Collection[str], members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members, with nothing but the fact that they are there of those that are withheld."""
    return {name: WITHHELD if name in withheld and value is not None else value for name, value in members.items()}


def record(work: UnitOfWork, action: str, payload: Mapping[str, Any], answer: Mapping[str, Any] | None) -> None:
    """Record an action of staff or a device; where nothing was noted, its object is the id in the answer, else in the request."""
    context = work.context
    if not concerns(context):
        return
    known = answer or {}
    main = known.get("id") or payload.get("id") or known.get("counter") or payload.get("counter")
    changes = _together(work.noted)
    if not changes:
        place = {name: known.get(name) or payload.get(name) for name in _PLACE}
        changes = [Change(_kind_of(action), None if main is None else str(main), None, None, place)]
    for change in changes:
        write(work, context, action, change)
    work.noted.clear()


def write(work: Work, context: CallContext, action: str, change: Change, *, actor: Actor | None = None, refused: str | None = None) -> None:
    """Write one row.

    :param actor: who acts, where that is not the caller: nobody is known before a sign-in.
    :param refused: the code with which the action was refused.
    """
    who = actor or context.actor
    row = {
        "at": work.now,
        "actor": who.id,
        "role": who.role,
        "action": action,
        "kind": change.kind,
        "subject": change.id,
        **{name: change.place.get(name) for name in _PLACE},
        "before": None if change.before is None else json.dumps(change.before),
        "after": None if change.after is None else json.dumps(change.after),
        "refused": refused,
        "command_id": context.command_id,
        "client": context.client,
        "traceparent": context.traceparent,
    }
    work.later(_RECORD, row)
    work.audited = True


def refuse(database: Database, context: CallContext, action: str, payload: Any, code: str) -> None:
    """Record that somebody tried what that account may not do. The action's own transaction is gone: this has its own.

    Not what came too late or met another state (409): that is everyday work, and the rows of those who came first tell of it.
    """
    if code == "regency_forbidden":  # neither that account nor what it names is this regency's business
        return
    problem = PROBLEMS.get(code)
    if context.regency is None or not concerns(context) or problem is None or problem.status != _FORBIDDEN:
        return
    given = payload if isinstance(payload, dict) else {}
    place = {name: _short(given.get(name)) for name in _PLACE}
    change = Change(_kind_of(action), _short(given.get("id") or given.get("counter")), None, None, place)
    try:
        with database.regency_work(context.regency, context=context) as work:
            write(work, context, action, change, refused=code)
    except (Unavailable, DomainError) as lost:
        metrics.AUDIT_REFUSALS_LOST.labels(database.service).inc()
        log.warning("refusal_not_audited", action=action, code=code, regency=context.regency, reason=type(lost).__name__)


def _together(noted: list[Change]) -> list[Change]:
    """Return one change for each object, in the order in which they were first touched."""
    found: dict[tuple[str, str | None], Change] = {}
    for change in noted:
        first = found.get((change.kind, change.id))
        if first is not None:
            before = {**(change.before or {}), **(first.before or {})}
            after = {**(first.after or {}), **(change.after or {})}
            place = {**first.place, **{name: value for name, value in change.place.items() if value is not None}}
            change = Change(change.kind, change.id, before, after, place)
        found[change.kind, change.id] = change
    return list(found.values())


def _short(value: Any) -> str | None:
    """Return an id; nothing for what nobody has checked to be one."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_ID and value.isprintable() else None


def _kind_of(action: str) -> str:
    """Return what an action is about, by the last word of its name."""
    word = action.rpartition("_")[2]
    return _KINDS.get(word, word)
