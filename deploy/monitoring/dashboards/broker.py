"""The way of an event: outbox, broker, consumers."""

from __future__ import annotations

from deploy.monitoring.dashboards.model import Dashboard, panel

BROKER = Dashboard(
    "mpp-broker",
    "MPP events and broker",
    (
        (
            "From the database to the broker",
            (
                panel(
                    "Events published",
                    "ops",
                    ("type:mpp_events_published:rate5m > 0", "{{type}}"),
                    meaning="Confirmed by the broker.",
                ),
                panel(
                    "Outbox",
                    "short",
                    ("max by (service, server) (mpp_outbox_pending)", "{{service}} {{server}}"),
                    meaning="Committed and not yet confirmed.",
                ),
                panel(
                    "Oldest in the outbox",
                    "s",
                    ("max by (service, server) (mpp_outbox_oldest_age_seconds)", "{{service}} {{server}}"),
                    meaning="How long an event has waited to be published.",
                    limit=30,
                ),
                panel(
                    "Failed batches and unroutable events",
                    "short",
                    ("sum by (service) (increase(mpp_relay_failures_total[5m]))", "{{service}}: batches failed"),
                    ("sum by (service) (increase(mpp_events_unroutable_total[5m]))", "{{service}}: no queue took it"),
                    meaning="Within five minutes.",
                ),
            ),
        ),
        (
            "From the broker to the consumers",
            (
                panel(
                    "Events handled",
                    "ops",
                    ("sum by (consumer, outcome) (rate(mpp_events_handled_total[5m])) > 0", "{{consumer}} {{outcome}}"),
                    meaning="By consumer and outcome.",
                ),
                panel(
                    "Age when handled",
                    "s",
                    ("consumer:mpp_event_age_seconds:p99_rate5m", "{{consumer}}"),
                    meaning="From the commit at the owner to the commit at the consumer; ninety-nine of a hundred are younger.",
                    limit=10,
                ),
                panel(
                    "Fetched from the log",
                    "short",
                    ("sum by (consumer) (increase(mpp_sequence_gaps_total[5m]))", "{{consumer}}: holes"),
                    ("sum by (consumer) (increase(mpp_events_caught_up_total[5m]))", "{{consumer}}: events"),
                    ("sum by (consumer) (increase(mpp_snapshots_applied_total[5m]))", "{{consumer}}: snapshots"),
                    meaning="What did not arrive and was fetched from its owner, within five minutes.",
                ),
                panel(
                    "Failures and dead letters",
                    "short",
                    ("sum by (consumer) (increase(mpp_inbox_failures_total[5m]))", "{{consumer}}: failed"),
                    ("sum by (consumer) (increase(mpp_dead_letters_total[1h]))", "{{consumer}}: given up within an hour"),
                    ("sum by (consumer) (max by (regency, consumer) (mpp_dead_letters_waiting))", "{{consumer}}: wait for a decision"),
                    meaning="mpp dead-letters list shows what waits for a decision.",
                    limit=1,
                ),
            ),
        ),
        (
            "RabbitMQ",
            (
                panel(
                    "Messages that wait",
                    "short",
                    ("max by (queue) (rabbitmq_detailed_queue_messages_ready)", "{{queue}}"),
                    meaning="By queue, outside consumers too.",
                    limit=1000,
                ),
                panel(
                    "Consumers",
                    "short",
                    ("max by (queue) (rabbitmq_detailed_queue_consumers)", "{{queue}}"),
                    meaning="One for each replica; none: nobody reads.",
                ),
                panel(
                    "Memory",
                    "bytes",
                    ("rabbitmq_process_resident_memory_bytes", "{{instance}}"),
                    ("rabbitmq_resident_memory_limit_bytes", "{{instance}}: takes nothing more from here"),
                    meaning="At its limit RabbitMQ takes no more messages.",
                ),
                panel(
                    "Free disk",
                    "bytes",
                    ("rabbitmq_disk_space_available_bytes", "{{instance}}"),
                    ("rabbitmq_disk_space_available_limit_bytes", "{{instance}}: takes nothing more from here"),
                    meaning="Below its limit RabbitMQ takes no more messages.",
                ),
                panel(
                    "Alarms",
                    "short",
                    ("max by (instance) (rabbitmq_alarms_memory_used_watermark)", "{{instance}}: memory"),
                    ("max by (instance) (rabbitmq_alarms_free_disk_space_watermark)", "{{instance}}: disk"),
                    meaning="1: publishers are held up.",
                    kind="stat",
                    limit=1,
                ),
                panel(
                    "Connections and channels",
                    "short",
                    ("sum(rabbitmq_connections)", "connections"),
                    ("sum(rabbitmq_channels)", "channels"),
                    meaning="Some ten connections for each process of the platform.",
                ),
            ),
        ),
    ),
)
