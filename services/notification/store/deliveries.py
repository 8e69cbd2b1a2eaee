"""Deliveries: planned with the event, claimed for a while by one process, settled by it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from services.chassis.database import UnitOfWork

Row = dict[str, Any]

# A webhook that was deleted a moment ago gets nothing. What is claimed by its writer is on its way when this commits: no
# more than may be under way to that webhook.
_PLAN_WEBHOOKS = sa.text("""
    WITH kept AS (
        INSERT INTO published_event (id, body, created_at)
        SELECT id, body, :now FROM json_to_recordset(CAST(:bodies AS json)) AS given(id uuid, body text) ORDER BY id
        ON CONFLICT (id) DO NOTHING
    )
    INSERT INTO delivery (channel, webhook, event_id, event_type, state, claim, lease_until, next_attempt_at, created_at)
    SELECT 'webhook', webhook, event, type, CASE WHEN claim IS NULL THEN 'pending' ELSE 'sending' END, claim,
        CASE WHEN claim IS NOT NULL THEN CAST(:lease_until AS timestamptz) END,
        CASE WHEN claim IS NULL THEN CAST(:now AS timestamptz) END, :now
    FROM (
        SELECT webhook, event, type, CASE WHEN row_number() OVER (PARTITION BY webhook ORDER BY event) <= :per_webhook - (
            SELECT count(*) FROM delivery under_way WHERE under_way.webhook = given.webhook AND under_way.state = 'sending'
                AND under_way.id <> ALL(CAST(:ended AS uuid[]))
        ) THEN claim END AS claim
        FROM json_to_recordset(CAST(:plans AS json)) AS given(webhook uuid, event uuid, type text, claim uuid)
        WHERE webhook IN (SELECT id FROM webhook)
    ) AS planned
    ORDER BY webhook, event
    ON CONFLICT (webhook, event_id) DO NOTHING
    RETURNING CAST(id AS text) AS id, CAST(claim AS text) AS claim
""")

_PLAN_PING = sa.text("""
    WITH kept AS (
        INSERT INTO published_event (id, body, created_at) VALUES (CAST(:event_id AS uuid), :body, :now)
    )
    INSERT INTO delivery (channel, webhook, event_id, event_type, next_attempt_at, created_at)
    VALUES ('webhook', CAST(:webhook AS uuid), CAST(:event_id AS uuid), :type, :now, :now) RETURNING CAST(id AS text)
""")

_PLAN_MAIL = sa.text("""
    INSERT INTO delivery (channel, subscription, event_id, event_type, ticket, version, state, next_attempt_at, created_at, settled_at)
    SELECT 'email', id, CAST(:event_id AS uuid), :type, ticket, :version,
        CASE WHEN :news THEN 'pending' ELSE 'superseded' END,
        CASE WHEN :news THEN CAST(:now AS timestamptz) END, :now, CASE WHEN NOT :news THEN CAST(:now AS timestamptz) END
    FROM subscription WHERE ticket = CAST(:ticket AS uuid) AND from_version < :version
        AND (:kind = ANY(kinds) OR :new_number AND follows IS NOT NULL)
    ON CONFLICT (subscription, version) DO NOTHING
""")

_SUPERSEDE = sa.text("""
    UPDATE delivery SET state = 'superseded', next_attempt_at = NULL, settled_at = :now
    WHERE ticket = CAST(:ticket AS uuid) AND channel = 'email' AND state = 'pending' AND version < :version
""")

# What a dead process left: a letter that was being handed over may have been taken; everything else was not.
_RECOVER = sa.text("""
    UPDATE delivery SET
        state = CASE state WHEN 'handing_over' THEN 'uncertain' ELSE 'pending' END,
        last_error = 'process_ended', claim = CASE state WHEN 'handing_over' THEN claim END, lease_until = NULL,
        next_attempt_at = CASE state WHEN 'handing_over' THEN NULL ELSE CAST(:now AS timestamptz) END,
        settled_at = CASE state WHEN 'handing_over' THEN CAST(:now AS timestamptz) END
    WHERE state IN ('sending', 'handing_over') AND lease_until < :now
    RETURNING state
""")

_CLAIM_WEBHOOKS = sa.text("""
    WITH due AS (
        SELECT chosen.id FROM webhook CROSS JOIN LATERAL (
            SELECT delivery.id, delivery.next_attempt_at FROM delivery
            WHERE delivery.webhook = webhook.id AND state = 'pending' AND next_attempt_at <= :now
            ORDER BY next_attempt_at, delivery.id
            LIMIT greatest(0, CASE WHEN webhook.failures > 0 THEN 1 ELSE :per_webhook END
                - (SELECT count(*) FROM delivery under_way WHERE under_way.webhook = webhook.id AND under_way.state = 'sending'))
        ) chosen
        WHERE webhook.status = 'active' AND coalesce(webhook.resting_until, '-infinity') <= :now
        ORDER BY chosen.next_attempt_at LIMIT :limit
    ), free AS (
        SELECT id FROM delivery WHERE id IN (SELECT id FROM due) AND state = 'pending' FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE delivery SET state = 'sending', claim = gen_random_uuid(), lease_until = :lease_until, next_attempt_at = NULL
        FROM free WHERE delivery.id = free.id RETURNING delivery.*
    )
    SELECT CAST(claimed.id AS text) AS id, CAST(claim AS text) AS claim, CAST(claimed.webhook AS text) AS webhook, attempts,
        CAST(event_id AS text) AS event_id, url, secret, CASE WHEN old_secret_until > :now THEN old_secret END AS old_secret, body
    FROM claimed JOIN webhook ON webhook.id = claimed.webhook LEFT JOIN published_event ON published_event.id = event_id
""")

_CLAIM_MAIL = sa.text("""
    WITH free AS (
        SELECT id FROM delivery WHERE channel = 'email' AND state = 'pending' AND next_attempt_at <= :now
        ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE delivery SET state = 'sending', claim = gen_random_uuid(), lease_until = :lease_until, next_attempt_at = NULL
        FROM free WHERE delivery.id = free.id RETURNING delivery.*
    )
    SELECT CAST(claimed.id AS text) AS id, CAST(claim AS text) AS claim, attempts, CAST(subscription.id AS text) AS subscription,
        address, locale, notice.kind, parameters, site.name AS site_name, counter.name AS counter_name
    FROM claimed JOIN subscription ON subscription.id = claimed.subscription
    LEFT JOIN notice ON notice.ticket = claimed.ticket AND notice.version = claimed.version
    LEFT JOIN place_name site ON site.kind = 'site' AND site.id = parameters->>'site'
    LEFT JOIN place_name counter ON counter.kind = 'counter' AND counter.id = parameters->>'counter'
""")

_HAND_OVER = sa.text("""
    UPDATE delivery SET state = 'handing_over', lease_until = :lease_until
    WHERE id = CAST(:id AS uuid) AND claim = CAST(:claim AS uuid) AND state = 'sending' AND NOT EXISTS (
        SELECT FROM followed_ticket WHERE followed_ticket.id = delivery.ticket AND followed_ticket.version > delivery.version
    )
""")

_SETTLE = sa.text("""
    UPDATE delivery SET state = given.state, attempts = delivery.attempts + counted, claim = NULL, lease_until = NULL,
        next_attempt_at = given.next_attempt_at, last_status = given.status, last_error = given.error,
        settled_at = CASE WHEN given.state <> 'pending' THEN CAST(:now AS timestamptz) END
    FROM json_to_recordset(CAST(:endings AS json)) AS given(id uuid, claim uuid, state text, counted integer,
        next_attempt_at timestamptz, status integer, error text)
    WHERE delivery.id = given.id AND delivery.claim = given.claim AND delivery.state IN ('sending', 'handing_over', 'uncertain')
    RETURNING CAST(delivery.id AS text)
""")

# Ids are made in order of time.
_PAGE = sa.text("""
    SELECT CAST(id AS text) AS id, channel, CAST(webhook AS text) AS webhook, CAST(subscription AS text) AS subscription,
        CAST(event_id AS text) AS event_id, event_type, state, attempts, last_status, last_error, next_attempt_at, created_at, settled_at
    FROM delivery
    WHERE (CAST(:id AS uuid) IS NULL OR id = CAST(:id AS uuid))
      AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
      AND (CAST(:webhook AS uuid) IS NULL OR webhook = CAST(:webhook AS uuid))
      AND (CAST(:channel AS text) IS NULL OR channel = :channel) AND (CAST(:state AS text) IS NULL OR state = :state)
    ORDER BY delivery.id DESC LIMIT :limit
""")

_LOCK = sa.text("SELECT FROM delivery WHERE id = CAST(:id AS uuid) FOR UPDATE")

_AGAIN = sa.text("""
    UPDATE delivery SET state = 'pending', attempts = 0, next_attempt_at = :now, claim = NULL, settled_at = NULL
    WHERE id = CAST(:id AS uuid)
""")

_DISCARD = sa.text("""
    UPDATE delivery SET state = 'discarded', next_attempt_at = NULL, settled_at = :now
    WHERE webhook = CAST(:webhook AS uuid) AND state = 'pending'
""")

_GIVE_UP = sa.text("""
    UPDATE delivery SET state = 'discarded', last_error = 'too_old', next_attempt_at = NULL, settled_at = :now
    WHERE state = 'pending' AND created_at < :before
""")

_FORGET = sa.text("DELETE FROM delivery WHERE settled_at < :before")
_FORGET_EVENTS = sa.text("""
    DELETE FROM published_event WHERE created_at < :before AND NOT EXISTS (SELECT FROM delivery WHERE event_id = published_event.id)
""")

# Leases of the dead come to an end, too.
_NEXT_DUE = sa.text("""
    SELECT least((
        SELECT CAST(:now AS timestamptz) WHERE EXISTS (
            SELECT FROM delivery WHERE channel = ANY(:channels) AND state = 'pending' AND next_attempt_at <= :now AND (
                webhook IS NULL
                OR webhook IN (SELECT id FROM webhook WHERE status = 'active' AND coalesce(resting_until, '-infinity') <= :now)))
    ), (SELECT min(lease_until) FROM delivery WHERE state IN ('sending', 'handing_over')))
""").bindparams(sa.bindparam("channels", type_=ARRAY(sa.Text)))


@dataclass(frozen=True)
class Plan:
    """An event that a webhook is to get; with a ``claim``, it may be on its way as soon as this is committed."""

    webhook: str
    event: str
    type: str
    claim: str | None


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: see the table's columns; ``counted`` is 1 when it counts as an attempt, else 0."""

    id: str
    claim: str
    state: str
    counted: int
    next_attempt_at: datetime | None
    status: int | None
    error: str | None


def plan_for_webhooks(
    work: UnitOfWork, plans: Sequence[Plan], bodies: Mapping[str, str], *, lease: timedelta, per_webhook: int, ended: Sequence[str]
) -> list[tuple[str, str | None]]:
    """Plan events, by whose ids their ``bodies`` are given, once per webhook; return id and claim of each new delivery.

    :param per_webhook: no more may be under way to a webhook; what is too much loses its claim.
    :param ended: deliveries that are under way no longer, although that has not been written down.
    """
    row = {
        "bodies": json.dumps([{"id": event, "body": body} for event, body in bodies.items()]),
        "plans": json.dumps([vars(plan) for plan in plans]),
    }
    limits = {"per_webhook": per_webhook, "ended": list(ended)}
    planned = work.execute(_PLAN_WEBHOOKS, {**row, **limits, "now": work.now, "lease_until": work.now + lease})
    return [(each.id, each.claim) for each in planned]


def plan_ping(work: UnitOfWork, webhook: str, *, event_id: str, type: str, body: str) -> str:
    """Plan an event for one webhook, whatever it wants; return the id of the delivery."""
    planned: str = work.execute(
        _PLAN_PING, {"webhook": webhook, "event_id": event_id, "type": type, "body": body, "now": work.now}
    ).scalar_one()
    return planned


def plan_mail(work: UnitOfWork, *, event_id: str, type: str, ticket: str, version: int, kind: str, news: bool, new_number: bool) -> int:
    """Plan a notice for every address that wants it, once; one that is no news any more is only written down.

    :param new_number: somebody's number has become this one, which whoever wanted anything of that visit has to know.
    """
    row = {"event_id": event_id, "type": type, "ticket": ticket, "version": version, "kind": kind, "news": news}
    return work.execute(_PLAN_MAIL, {**row, "new_number": new_number, "now": work.now}).rowcount


def supersede(work: UnitOfWork, ticket: str, version: int) -> int:
    """Withdraw letters about earlier versions of a ticket that still wait; return how many."""
    return work.execute(_SUPERSEDE, {"ticket": ticket, "version": version, "now": work.now}).rowcount


def recover(work: UnitOfWork) -> list[str]:
    """Take over what dead processes left; return the state of each delivery afterwards."""
    return list(work.execute(_RECOVER, {"now": work.now}).scalars())


def claim_for_webhooks(work: UnitOfWork, limit: int, per_webhook: int, lease: timedelta) -> list[Row]:
    """Claim up to ``limit`` due deliveries; a webhook has at most ``per_webhook`` under way, one that fails has one."""
    limits = {"limit": limit, "per_webhook": per_webhook}
    rows = work.execute(_CLAIM_WEBHOOKS, {**limits, "now": work.now, "lease_until": work.now + lease})
    return [dict(row) for row in rows.mappings()]


def claim_mail(work: UnitOfWork, limit: int, lease: timedelta) -> list[Row]:
    """Claim up to ``limit`` due letters, each with what it is written from; ``address`` is encrypted."""
    rows = work.execute(_CLAIM_MAIL, {"limit": limit, "now": work.now, "lease_until": work.now + lease})
    return [dict(row) for row in rows.mappings()]


def hand_over(work: UnitOfWork, id: str, claim: str, lease: timedelta) -> bool:
    """Note that a letter is about to be handed over; false when it is somebody else's by now, or no news any more."""
    return work.execute(_HAND_OVER, {"id": id, "claim": claim, "lease_until": work.now + lease}).rowcount == 1


def settle(work: UnitOfWork, endings: Sequence[Ending]) -> set[str]:
    """Write down how attempts ended; return the ids of those whose claim was still held, the others are not changed."""
    given = json.dumps([vars(ending) for ending in endings], default=str)
    return set(work.execute(_SETTLE, {"endings": given, "now": work.now}).scalars())


def find(work: UnitOfWork, id: str, *, lock: bool = False) -> Row | None:
    """Return a delivery; with ``lock``, a statement more, nobody else changes it until the unit ends."""
    if lock:
        work.execute(_LOCK, {"id": id})
    found = page(work, {"id": id}, None, 1)
    return found[0] if found else None


def page(work: UnitOfWork, filters: Mapping[str, str | None], before: str | None, limit: int) -> list[Row]:
    """Return deliveries, the newest first, beginning behind the id ``before``; filters: id, webhook, channel, state."""
    wanted = {name: filters.get(name) for name in ("id", "webhook", "channel", "state")}
    return [dict(row) for row in work.execute(_PAGE, {**wanted, "before": before, "limit": limit}).mappings()]


def again(work: UnitOfWork, id: str) -> None:
    """Make a delivery due now, as if it had not been tried."""
    work.execute(_AGAIN, {"id": id, "now": work.now})


def discard(work: UnitOfWork, webhook: str) -> None:
    """Give up what waits for a webhook."""
    work.execute(_DISCARD, {"webhook": webhook, "now": work.now})


def forget(work: UnitOfWork, *, settled_before: datetime, waiting_since: datetime) -> int:
    """Delete deliveries settled long ago and events that none needs, in three statements; return how many were given up."""
    given_up = work.execute(_GIVE_UP, {"before": waiting_since, "now": work.now}).rowcount
    work.execute(_FORGET, {"before": settled_before})
    work.execute(_FORGET_EVENTS, {"before": waiting_since})
    return given_up


def next_due(work: UnitOfWork, channels: Sequence[str]) -> datetime | None:
    """Return when there is something to do: now, when a lease ends, or ``None``; retries that wait have hints of their own."""
    due: datetime | None = work.execute(_NEXT_DUE, {"channels": list(channels), "now": work.now}).scalar_one()
    return due
