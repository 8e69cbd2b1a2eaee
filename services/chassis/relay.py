"""The relay: from the outbox to the broker, at least once, deleted only after the broker's confirmation.

Rows are deleted in the transaction that holds them locked while they are published. A relay that dies between
publishing and deleting leaves them to the next one: published twice, never lost; consumers know duplicates.
Any number of replicas may run (``SKIP LOCKED``).
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.broker import EventPublisher, Outgoing
from services.chassis.connections import HOME
from services.chassis.database import Database, PlatformWork
from services.chassis.errors import DatabaseUnavailable, Unavailable
from services.chassis.events import CONTENT_TYPE, Envelope
from services.chassis.logs import get_logger
from services.chassis.tenancy import routing_key

log = get_logger(__name__)

BATCH = 500
POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 1.0
"""Looks without being woken, for what a replica left that died: less often the longer there was nothing. The process's own
commits wake the relay at once."""

PACE_SECONDS = 0.02
"""From batch to batch, at least: an event after a pause leaves at once, those of a busy moment leave together. A batch costs
the relay, the broker and every consumer much the same, however many events are in it."""

MEASURE_SECONDS = 5.0

_TAKE = sa.text("""
    DELETE FROM platform.outbox WHERE id IN (
        SELECT id FROM platform.outbox ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id, regency, source, sequence, event_id, type, subject, time, data, traceparent
""")

_HEADS = sa.text("""
    INSERT INTO platform.stream_head AS head (source, regency, sequence)
    SELECT source, regency, sequence FROM jsonb_to_recordset(CAST(:heads AS jsonb))
        AS given(source text, regency text, sequence bigint) ORDER BY source
    ON CONFLICT (regency, source) DO UPDATE SET sequence = greatest(head.sequence, excluded.sequence)
""")

_READ_HEADS = sa.text("SELECT source, regency, sequence FROM platform.stream_head ORDER BY source")

_BACKLOG = sa.text("""
    SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - min(time)), 0) AS oldest,
           platform.oldest_transaction_age() AS oldest_transaction,
           (SELECT sum(numbackends) FROM pg_stat_database) AS connections, current_setting('max_connections') AS most_connections
    FROM platform.outbox
""")


class Relay:
    """Publishes the outbox of one service on one database server."""

    def __init__(self, database: Database, publisher: EventPublisher, server: str = HOME) -> None:
        self._database = database
        self._server = server
        self._publisher = publisher
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failing = False
        self._measure_at = 0.0
        self._batch_began = 0.0
        self.finished = threading.Event()
        database.committed.append(self.wake)

    def wake(self) -> None:
        """Look into the outbox now."""
        self._wake.set()

    def run(self) -> None:
        """Publish until :meth:`stop`; never raises. Outages are retried with a growing pause up to one second."""
        pause = POLL_SECONDS
        while not self._stopping.is_set():
            # Commits wake a relay that works; one that fails keeps its pause.
            (self._stopping if self._failing else self._wake).wait(pause)
            self._stopping.wait(max(0.0, self._batch_began + PACE_SECONDS - time.monotonic()))
            self._wake.clear()
            self._batch_began = time.monotonic()
            try:
                self._measure_in_time()
                self._publisher.prepare()  # before rows are locked and a connection is taken
                published = self._publish_all()
                if self._failing:
                    log.info("relay_recovered", service=self._database.service)
                pause = POLL_SECONDS if published or self._failing else min(LONGEST_POLL_SECONDS, pause * 2)
                self._failing = False
            except Unavailable as error:
                pause = self._failed(str(error), pause)
            except Exception:
                log.exception("relay_failed", service=self._database.service)
                pause = self._failed("fault", pause)
        self._publisher.close()
        self.finished.set()

    def _publish_all(self) -> int:
        """Publish batches until one is not full; return how many events left the outbox."""
        published = count = self.publish_batch()
        while count == BATCH and not self._stopping.is_set():
            count = self.publish_batch()
            published += count
        return published

    def publish_batch(self) -> int:
        """Publish up to :data:`BATCH` events; return how many left the outbox.

        :raises Unavailable: broker or database away; the events stay in the outbox.
        """
        with self._database.platform_work(timeout=30.0, server=self._server) as work:
            rows = sorted(work.execute(_TAKE, {"limit": BATCH}).all(), key=lambda row: row.id)
            if not rows:
                return 0
            envelopes = [_envelope(row) for row in rows]
            self._report(self._publisher.publish([_outgoing(envelope) for envelope in envelopes]), envelopes)
            self._remember_heads(work, envelopes)
        for event_type, count in Counter(envelope.type for envelope in envelopes).items():
            metrics.EVENTS_PUBLISHED.labels(self._database.service, event_type).inc(count)
        return len(rows)

    def _report(self, unroutable: Sequence[Outgoing], envelopes: Sequence[Envelope]) -> None:
        """Raise the alarm for events that nobody took. Their consumers find them in the log."""
        missed = {outgoing.id for outgoing in unroutable}
        for envelope in envelopes:
            if envelope.id in missed:
                metrics.EVENTS_UNROUTABLE.labels(self._database.service, envelope.type).inc()
                log.error("event_unroutable", type=envelope.type, event_id=envelope.id, regency=envelope.regency)

    def _remember_heads(self, work: PlatformWork, envelopes: Sequence[Envelope]) -> None:
        heads: dict[str, dict[str, Any]] = {}
        for envelope in envelopes:
            known = heads.get(envelope.source)
            if known is None or envelope.sequence > known["sequence"]:
                heads[envelope.source] = {
                    "source": envelope.source,
                    "regency": envelope.regency,
                    "sequence": envelope.sequence,
                }
        work.execute(_HEADS, {"heads": json.dumps(list(heads.values()))})

    def _measure_in_time(self) -> None:
        """Measure the backlog every few seconds, above all while nothing can be published."""
        if time.monotonic() < self._measure_at:
            return
        self._measure_at = time.monotonic() + MEASURE_SECONDS
        with self._database.platform_work(server=self._server) as work:
            backlog = work.execute(_BACKLOG).one()
        labels = (self._database.service, self._server or "home")
        metrics.OUTBOX_PENDING.labels(*labels).set(backlog.pending)
        metrics.OUTBOX_OLDEST_AGE.labels(*labels).set(float(backlog.oldest))
        metrics.DATABASE_OLDEST_TRANSACTION.labels(*labels).set(backlog.oldest_transaction)
        metrics.DATABASE_CONNECTIONS.labels(*labels).set(float(backlog.connections))
        metrics.DATABASE_MOST_CONNECTIONS.labels(*labels).set(float(backlog.most_connections))

    def _failed(self, reason: str, pause: float) -> float:
        metrics.RELAY_FAILURES.labels(self._database.service).inc()
        if not self._failing:
            log.warning("relay_interrupted", service=self._database.service, reason=reason)
        self._failing = True
        return min(1.0, pause * 2)

    def stop(self) -> None:
        """End :meth:`run` after the batch under way."""
        self._stopping.set()
        self._wake.set()


def stream_heads(database: Database) -> list[dict[str, Any]]:
    """Return ``{source, regency, sequence}`` of the last published event of every stream of the service.

    :raises Unavailable: no database server answers; one of several that is away is left out.
    """
    heads: list[dict[str, Any]] = []
    failures: list[DatabaseUnavailable] = []
    for server in database.servers:
        try:
            with database.platform_work(server=server) as work:
                heads += [dict(row) for row in work.execute(_READ_HEADS).mappings()]
        except DatabaseUnavailable as error:
            failures.append(error)
    if len(failures) == len(database.servers):
        raise failures[0]
    return heads


def _envelope(row: Any) -> Envelope:
    return Envelope(
        id=str(row.event_id),
        source=row.source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        regency=row.regency,
        sequence=row.sequence,
        data=row.data,
        traceparent=row.traceparent,
    )


def _outgoing(envelope: Envelope) -> Outgoing:
    return Outgoing(
        routing_key=routing_key(envelope.regency, envelope.type),
        id=envelope.id,
        body=json.dumps(envelope.to_cloudevent(), ensure_ascii=False, separators=(",", ":")).encode(),
        content_type=CONTENT_TYPE,
    )
