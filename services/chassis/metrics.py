"""Every metric of the platform, declared once.

Base units, ``_seconds`` and ``_total``. ``regency`` is a label only where an operator needs it, because each such series
exists once for every regency (how many that makes: decision 0020); never a ticket, never a person.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, Summary, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # half as many series again, which nobody reads

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_QUEUE = (5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0)
"""What people wait, and how long they are served; few, because there is one set for each regency."""

_ERROR = (60.0, 180.0, 300.0, 600.0, 1200.0, 2400.0)
_AGE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)

READY = Gauge("mpp_ready", "Whether a check of this process is content (1) or not (0), as /readyz tells.", ["check"])

HTTP_REQUESTS = Histogram(
    "mpp_http_request_duration_seconds",
    "HTTP requests answered by the gateway.",
    ["route", "method", "status"],
    buckets=_LATENCY,
)
HTTP_FAILURES = Counter("mpp_http_failures_total", "Requests that the gateway answered with 5xx.", ["route", "method"])
REGENCY_REQUESTS = Counter(
    "mpp_regency_requests_total",
    "Requests about a regency that exists; outcome is ok, refused (4xx) or failed (5xx).",
    ["regency", "outcome"],
)
HTTP_CONNECTIONS = Gauge("mpp_http_connections", "Connections now open at the gateway.")
STREAMS = Gauge("mpp_http_streams", "Streams of live changes now open at the gateway.")
BOARDS_WATCHED = Gauge("mpp_boards_watched", "Sites whose board the gateway keeps up to date.")
BOARD_SNAPSHOTS = Counter("mpp_board_snapshots_total", "Boards begun anew from a snapshot.", ["reason"])

RPC_CALLS = Histogram(
    "mpp_rpc_call_duration_seconds",
    "RPC calls as the caller saw them.",
    ["service", "method", "outcome"],
    buckets=_LATENCY,
)
RPC_HANDLED = Histogram(
    "mpp_rpc_handled_duration_seconds",
    "RPC calls as the service handled them; outcome is ok or the error's code.",
    ["service", "method", "outcome"],
    buckets=_LATENCY,
)
RPC_REPEATED = Counter(
    "mpp_rpc_commands_repeated_total",
    "Commands answered from the command inbox instead of being done again.",
    ["service"],
)

AUDIT_SEALED = Counter("mpp_audit_rows_sealed_total", "Rows of audit logs that were added to their chain.", ["service"])
AUDIT_UNSEALED_AGE = Gauge(
    "mpp_audit_unsealed_age_seconds",
    "Since when this process has rows of audit logs left that it could not seal; 0: none.",
    ["service"],
)
AUDIT_REFUSALS_LOST = Counter(
    "mpp_audit_refusals_lost_total", "Refusals that could not be written to the audit log; they stand in the process's log.", ["service"]
)

EVENTS_PUBLISHED = Counter("mpp_events_published_total", "Events confirmed by the broker.", ["service", "type"])
EVENTS_UNROUTABLE = Counter(
    "mpp_events_unroutable_total", "Events that no queue took, even after declaring the queues again.", ["service", "type"]
)
EVENTS_HANDLED = Counter(
    "mpp_events_handled_total",
    "Events taken by a consumer; outcome is handled, duplicate, failed, dead, rejected, or left to the log.",
    ["consumer", "type", "outcome"],
)
EVENT_AGE = Histogram("mpp_event_age_seconds", "Age of an event when its handler had committed.", ["consumer"], buckets=_AGE)
REGENCY_EVENT_AGE = Summary(
    "mpp_regency_event_age_seconds", "Age of a regency's events when their handler had committed.", ["regency", "consumer"]
)
EVENTS_CAUGHT_UP = Counter("mpp_events_caught_up_total", "Events fetched from the owner's log because they had not arrived.", ["consumer"])
SNAPSHOTS_APPLIED = Counter(
    "mpp_snapshots_applied_total", "Snapshots of a stream applied because its owner's log had been cut.", ["consumer"]
)
SEQUENCE_GAPS = Counter("mpp_sequence_gaps_total", "Holes in a stream that outlived the grace period.", ["consumer"])

OUTBOX_PENDING = Gauge("mpp_outbox_pending", "Events committed and not yet confirmed by the broker.", ["service", "server"])
OUTBOX_OLDEST_AGE = Gauge("mpp_outbox_oldest_age_seconds", "Age of the oldest event in the outbox.", ["service", "server"])
RELAY_FAILURES = Counter("mpp_relay_failures_total", "Batches that the relay could not publish.", ["service"])

INBOX_FAILURES = Counter("mpp_inbox_failures_total", "Handler attempts that failed.", ["consumer", "type"])
DEAD_LETTERS = Counter("mpp_dead_letters_total", "Events given up after the last attempt.", ["consumer", "type"])
DEAD_LETTERS_WAITING = Gauge(
    "mpp_dead_letters_waiting", "Events given up that wait for somebody's decision; shown from a regency's first.", ["regency", "consumer"]
)

DATABASE_WORK = Histogram("mpp_database_work_duration_seconds", "Units of work from connection to commit.", ["service"], buckets=_LATENCY)
DATABASE_POOL_IN_USE = Gauge("mpp_database_pool_in_use", "Connections of the pool in use.", ["service"])
DATABASE_POOL_WAITERS = Gauge("mpp_database_pool_waiters", "Units of work waiting for a connection.", ["service"])
DATABASE_OLDEST_TRANSACTION = Gauge(
    "mpp_database_oldest_transaction_age_seconds",
    "Age of the oldest open transaction in the service's database, whoever holds it: while it is open, polls get slower.",
    ["service", "server"],
)
DATABASE_CONNECTIONS = Gauge(
    "mpp_database_connections", "Connections to the service's database server now open, whoever holds them.", ["service", "server"]
)
DATABASE_MOST_CONNECTIONS = Gauge(
    "mpp_database_max_connections", "Connections that the service's database server admits.", ["service", "server"]
)
REGENCIES_BEHIND = Gauge("mpp_regencies_behind", "Regencies whose schema is behind this program: their migration failed.", ["service"])
TURNSTILE_WAITERS = Gauge("mpp_turnstile_waiters", "Commands waiting for their regency's turn.", ["service"])

TICKETS_WAITING = Gauge("mpp_tickets_waiting", "Tickets in state waiting today, by lane.", ["regency", "site", "lane"])
LONGEST_WAIT = Gauge("mpp_tickets_longest_wait_seconds", "Wait of the ticket that has waited longest.", ["regency", "site", "lane"])
TICKETS_TODAY = Gauge("mpp_tickets_today", "Tickets of the site's business date by the state they are in.", ["regency", "site", "status"])
COUNTERS = Gauge("mpp_counters", "Counters of a site that are in use by the catalogue.", ["regency", "site"])
PERSONS_OVERDUE = Gauge("mpp_personal_data_overdue_seconds", "How long the oldest personal data are kept beyond their term.")
PERSONS_UNREADABLE = Gauge("mpp_personal_data_unreadable", "Visits whose personal data no key opens.")
PERSONS_LOOKED_AT = Gauge("mpp_personal_data_looked_at_timestamp_seconds", "When the regency was looked at that was looked at longest ago.")
BREACH_TELL_BY = Gauge("mpp_breach_tell_by_timestamp_seconds", "When the time ends to tell of the first open breach; 0: none.")
TICKET_WAIT = Histogram("mpp_ticket_wait_seconds", "Waits that a call has ended.", ["regency"], buckets=_QUEUE)
TICKET_SERVICE = Histogram("mpp_ticket_service_seconds", "Services at a counter that have been completed.", ["regency"], buckets=_QUEUE)
ESTIMATE_ERROR = Histogram(
    "mpp_ticket_estimate_error_seconds",
    "How far the wait that was told first was off when a ticket was called first; told is less or more than it waited.",
    ["regency", "told"],
    buckets=_ERROR,
)

DELIVERIES = Counter(
    "mpp_deliveries_total",
    "Attempts to deliver; outcome is delivered, retry, failed, superseded, uncertain or withdrawn.",
    ["channel", "outcome"],
)
DELIVERY_DURATION = Histogram(
    "mpp_delivery_duration_seconds", "Attempts to deliver, from connection to answer.", ["channel"], buckets=(*_LATENCY, 15.0, 60.0)
)
DELIVERY_OLDEST_DUE = Gauge(
    "mpp_delivery_oldest_due_age_seconds", "How long the oldest delivery waits that is due and taken by nobody.", ["server"]
)
DELIVERIES_UNDER_WAY = Gauge("mpp_deliveries_under_way", "Attempts to deliver that run now.", ["channel"])
DELIVERY_FAILURES = Counter("mpp_delivery_rounds_failed_total", "Rounds in which deliveries could not be looked for or written down.")
WEBHOOK_PAUSES = Counter("mpp_webhook_pauses_total", "Webhooks that were paused automatically.", ["reason"])
REGENCY_DELIVERIES = Counter(
    "mpp_regency_deliveries_total",
    "Attempts to deliver by regency; outcome is delivered, retry, failed, superseded, uncertain or withdrawn.",
    ["regency", "channel", "outcome"],
)
WEBHOOKS_PAUSED = Gauge("mpp_webhooks_paused", "Webhooks of a regency that are paused, as the last upkeep found them.", ["regency"])


# A counter that first appears with the value 1 has not risen in Prometheus' eyes: an alert on its increase would stay
# silent the first time. So what alerts look at is there, as 0, before anything has happened.


def begin_routes(routes: Iterable[tuple[str, str]]) -> None:
    """Show the failures of all routes before the first one.

    :param routes: the path template and the method of each.
    """
    for path, method in routes:
        HTTP_FAILURES.labels(path, method)
    HTTP_FAILURES.labels("unknown", "other")


def begin_regency(regency: str) -> None:
    """Show a regency's requests before one of them fails."""
    for outcome in ("ok", "refused", "failed"):
        REGENCY_REQUESTS.labels(regency, outcome)


def begin_publisher(service: str, types: Iterable[str]) -> None:
    """Show the counters of a service that acts and publishes, before it has done so.

    :param types: event types that the service publishes.
    """
    RELAY_FAILURES.labels(service)
    RPC_REPEATED.labels(service)
    for name in types:
        EVENTS_PUBLISHED.labels(service, name)
        EVENTS_UNROUTABLE.labels(service, name)


def begin_consumer(consumer: str, types: Iterable[str]) -> None:
    """Show a consumer's counters before it has heard anything.

    :param types: event types that it may be given.
    """
    EVENT_AGE.labels(consumer)
    for counter in (EVENTS_CAUGHT_UP, SNAPSHOTS_APPLIED, SEQUENCE_GAPS):
        counter.labels(consumer)
    EVENTS_HANDLED.labels(consumer, "unknown", "rejected")
    for name in types:
        INBOX_FAILURES.labels(consumer, name)
        DEAD_LETTERS.labels(consumer, name)
        for outcome in ("handled", "rejected"):
            EVENTS_HANDLED.labels(consumer, name, outcome)


def begin_boards(consumer: str) -> None:
    """Show the counters of live boards before anybody watches one."""
    EVENT_AGE.labels(consumer)
    EVENTS_HANDLED.labels(consumer, "unknown", "rejected")
    for reason in ("reconnected", "catalogue", "day", "hole", "behind", "restored"):
        BOARD_SNAPSHOTS.labels(reason)


def begin_deliveries(channels: Iterable[str]) -> None:
    """Show the counters of deliveries before the first one.

    :param channels: the channels that this installation has.
    """
    DELIVERIES.labels("any", "uncertain")
    for reason in ("gone", "failures"):
        WEBHOOK_PAUSES.labels(reason)
    for channel in channels:
        DELIVERY_DURATION.labels(channel)
        DELIVERIES_UNDER_WAY.labels(channel)
        for outcome in ("delivered", "retry", "failed", "uncertain"):
            DELIVERIES.labels(channel, outcome)
