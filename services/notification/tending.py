"""What notification does by the clock: erases addresses, forgets old deliveries, finds what no hint tells of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from services.chassis import metrics
from services.chassis.database import Database
from services.chassis.errors import DatabaseUnavailable
from services.chassis.logs import get_logger
from services.notification import store

log = get_logger(__name__)

TENDING_SECONDS = 600
SETTLED_KEPT = timedelta(days=30)
WAITING_KEPT = timedelta(days=7)
"""So long events wait for a paused webhook."""

OLDEST_SUBSCRIPTION = timedelta(days=90)
"""Whatever became of its ticket: nobody books longer ahead."""


def tend(database: Database, channels: Sequence[str], retention_days: int) -> None:
    """Do one round in every regency; repeating it changes nothing. A regency that fails keeps no other one waiting.

    :param channels: the channels that this installation has.
    :param retention_days: how long after a ticket's end its subscribers' addresses are kept.
    """
    for regency in database.regencies():
        try:
            metrics.WEBHOOKS_PAUSED.labels(regency).set(_tend_one(database, regency, channels, retention_days))
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  (told; the next regency's turn)
            log.error("tending_failed", regency=regency, reason=type(error).__name__)
        time.sleep(0)  # let others run between two regencies


def _tend_one(database: Database, regency: str, channels: Sequence[str], retention_days: int) -> int:
    with database.regency_work(regency, timeout=30.0) as work:
        ended_before, made_before = work.now - timedelta(days=retention_days), work.now - OLDEST_SUBSCRIPTION
        erased = store.mail.erase(work, ended_before=ended_before, made_before=made_before)
        given_up = store.deliveries.forget(work, settled_before=work.now - SETTLED_KEPT, waiting_since=work.now - WAITING_KEPT)
        due = store.deliveries.next_due(work, channels)
        if due is not None:
            store.hints.leave(work, due)
        paused = store.webhooks.count_paused(work)
    if erased or given_up:
        log.info("tended", regency=regency, addresses_erased=erased, deliveries_given_up=given_up)
    return paused
