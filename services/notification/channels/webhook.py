"""Events to other systems: posted as they were published, signed, at least once and normally exactly once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.chassis import metrics
from services.chassis.database import UnitOfWork
from services.chassis.delivery_settings import DeliverySettings
from services.chassis.encryption import Keyring, KeyUnknown
from services.chassis.logs import get_logger
from services.notification import store
from services.notification.channels import settling
from services.notification.channels.channel import Attempt, HandOver, Parcel
from services.notification.channels.posting import Poster
from services.notification.channels.settling import draw
from services.notification.channels.urls import UrlRefused, target_of
from services.notification.domain import WEBHOOK_RETRIES, Outcome, Retries, pause_reason, rest_after, signed_headers

log = get_logger(__name__)

SECRET_PURPOSE = "webhook.secret"  # noqa: S105 - names what is encrypted
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
USER_AGENT = "mpp-webhooks/1"
PER_WEBHOOK = 4
LEASE = timedelta(seconds=60)
"""Four times what an attempt may take."""


class WebhookChannel:
    """Posts events to the webhooks of their regency."""

    name = "webhook"

    def __init__(
        self, settings: DeliverySettings, keyring: Keyring, poster: Poster | None = None, retries: Retries = WEBHOOK_RETRIES
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._poster = poster or Poster(settings.webhook_allowed_networks)
        self._retries = retries

    def claim(self, work: UnitOfWork, limit: int) -> list[Parcel]:
        """Take what is due for webhooks that are active and not resting."""
        return [Parcel.of(work.regency, row) for row in store.deliveries.claim_for_webhooks(work, limit, PER_WEBHOOK, LEASE)]

    def deliver(self, parcel: Parcel, hand_over: HandOver) -> Outcome:
        """Post the event, signed with each secret that is valid now."""
        content = parcel.content
        if content["body"] is None:
            return Outcome("failed", "event_forgotten")
        try:
            secrets = [self._keyring.decrypt(token, SECRET_PURPOSE) for token in (content["secret"], content["old_secret"]) if token]
        except KeyUnknown:
            log.error("encryption_key_unknown", channel=self.name, regency=parcel.regency, webhook=content["webhook"])
            return Outcome("retry", "encryption_key_unknown", blameless=True)
        try:
            target = target_of(
                content["url"], allow_http=self._settings.webhook_allow_http, allowed=self._settings.webhook_allowed_networks
            )
        except UrlRefused as refused:
            return Outcome("retry", refused.rule)
        body = content["body"].encode()
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": USER_AGENT}
        return self._poster.post(target, body, {**headers, **signed_headers(secrets, content["event_id"], int(time.time()), body)})

    def hand_over(self, work: UnitOfWork, parcel: Parcel) -> bool:
        """Nothing to note: a webhook may be sent twice, under the same id."""
        return True

    def settle(self, work: UnitOfWork, attempts: Sequence[Attempt]) -> dict[str, str]:
        """Write the outcomes down, at the webhooks too: successes, failures in a row, rest, pause."""
        succeeded = {_webhook_of(attempt) for attempt in attempts if attempt.outcome.result == "delivered"}
        failed = [attempt for attempt in attempts if attempt.outcome.result != "delivered" and not attempt.outcome.blameless]
        if failed:  # all in one order, so that two who settle wait for each other one way only
            known = store.webhooks.lock(work, {*succeeded, *map(_webhook_of, failed)})
        if succeeded:
            store.webhooks.succeeded(work, succeeded)
        for attempt in failed:
            webhook = known.get(_webhook_of(attempt))
            if webhook is not None:
                fresh = {"failures": 0, "failing_since": None} if webhook["id"] in succeeded else {}
                succeeded.discard(webhook["id"])
                known[webhook["id"]] = store.webhooks.change(
                    work, webhook["id"], **self._failed(work, {**webhook, **fresh}, attempt.outcome)
                )
        return settling.settle(work, attempts, self._retries)

    def _failed(self, work: UnitOfWork, webhook: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
        failures, since = webhook["failures"] + 1, webhook["failing_since"] or work.now
        rest = max(rest_after(failures, draw), outcome.retry_after or 0.0)
        changes: dict[str, Any] = {"failures": failures, "failing_since": since, "last_failure_at": work.now}
        if rest > 0:
            changes["resting_until"] = work.now + timedelta(seconds=rest)
            store.hints.leave(work, changes["resting_until"])
        reason = pause_reason(outcome, failures, since, work.now)
        if reason is not None and webhook["status"] == "active":
            changes.update(status="paused", paused_reason=reason, paused_at=work.now, version=webhook["version"] + 1)
            metrics.WEBHOOK_PAUSES.labels(reason).inc()
            log.warning("webhook_paused", regency=work.regency, webhook=webhook["id"], reason=reason)
        return changes


def _webhook_of(attempt: Attempt) -> str:
    return str(attempt.parcel.content["webhook"])
