"""The platform at a glance: what runs, what citizens and officers feel, services, deliveries."""

from __future__ import annotations

from deploy.monitoring.dashboards.model import Dashboard, panel

PLATFORM = Dashboard(
    "mpp-platform",
    "MPP platform",
    (
        (
            "Is it running?",
            (
                panel(
                    "Processes that answer",
                    "short",
                    ('sum by (part) (up{job="mpp"})', "{{part}}"),
                    meaning="Replicas of each part whose probe port answers.",
                    kind="stat",
                    width=7,
                    height=6,
                ),
                panel(
                    "Checks that fail",
                    "short",
                    ("sum by (part, check) (mpp_ready == bool 0) > 0", "{{part}} {{check}}"),
                    ("sum(mpp_ready == bool 0)", "in all"),
                    meaning="What /readyz complains about, by check.",
                    kind="stat",
                    width=7,
                    height=6,
                    limit=1,
                ),
                panel(
                    "Alerts",
                    "short",
                    (
                        'max by (alertname, severity, part, service, consumer, regency, queue, instance) (ALERTS{alertstate="firing"})',
                        "alerts",
                    ),
                    meaning="What is wrong now; a click on a name opens its runbook.",
                    kind="table",
                    width=10,
                    height=6,
                    empty="No alert.",
                    link=("alertname", "/d/runbook-${__value.text}"),
                ),
            ),
        ),
        (
            "What citizens and officers feel",
            (
                panel(
                    "Requests",
                    "reqps",
                    ("sum by (status) (route_status:mpp_http_requests:rate5m)", "{{status}}"),
                    meaning="Answers of all gateways by class of status.",
                    width=8,
                ),
                panel(
                    "Requests that fail (5xx)",
                    "percentunit",
                    ("platform:mpp_http_failures:ratio_rate5m", "of all"),
                    meaning="Share of answers with 5xx.",
                    width=8,
                    limit=0.02,
                ),
                panel(
                    "Routes that fail",
                    "short",
                    ("sum by (method, route) (increase(mpp_http_failures_total[15m])) > 0", "{{method}} {{route}}"),
                    meaning="Answers with 5xx within fifteen minutes.",
                    width=8,
                    empty="none",
                    limit=1,
                ),
                panel(
                    "Time to answer",
                    "s",
                    ("platform:mpp_http_request_duration_seconds:p50_rate5m", "half"),
                    ("platform:mpp_http_request_duration_seconds:p99_rate5m", "99 of 100"),
                    meaning="As the gateway measures it.",
                    limit=1,
                ),
                panel(
                    "Slowest routes",
                    "s",
                    ("topk(8, route:mpp_http_request_duration_seconds:p99_rate5m >= 0)", "{{method}} {{route}}"),
                    meaning="Ninety-nine of a hundred requests are answered sooner.",
                ),
                panel(
                    "From an event to the screens",
                    "s",
                    ('consumer:mpp_event_age_seconds:p99_rate5m{consumer="gateway.boards"}', "99 of 100"),
                    meaning="Age of a change when it was shown on the boards.",
                    limit=1,
                ),
                panel(
                    "Watched live",
                    "short",
                    ("sum(mpp_http_streams)", "streams"),
                    ("sum(mpp_http_connections)", "connections"),
                    ("sum(mpp_boards_watched)", "boards"),
                    ("sum by (reason) (increase(mpp_board_snapshots_total[5m]))", "begun anew: {{reason}}"),
                    meaning="Streams, connections and boards of all gateways; boards begun anew within five minutes.",
                ),
            ),
        ),
        (
            "Services",
            (
                panel(
                    "Calls without an answer",
                    "percentunit",
                    ("service:mpp_rpc_call_failures:ratio_rate5m", "{{service}}"),
                    meaning="Share of RPC calls that failed or came too late, as the caller saw it.",
                    limit=0.02,
                ),
                panel(
                    "Time to handle a call",
                    "s",
                    ("service:mpp_rpc_handled_duration_seconds:p99_rate5m", "{{service}}"),
                    meaning="Ninety-nine of a hundred calls take less, as the service measures it.",
                ),
                panel(
                    "Calls",
                    "reqps",
                    ("service:mpp_rpc_calls:rate5m", "{{service}}"),
                    ("sum(rate(mpp_rpc_commands_repeated_total[5m]))", "answered again from the record"),
                    meaning="RPC calls by service, and commands that came twice.",
                ),
                panel(
                    "Waiting for a turn or a connection",
                    "short",
                    ("sum by (service) (mpp_database_pool_waiters)", "{{service}}: connection"),
                    ("sum by (service) (mpp_turnstile_waiters)", "{{service}}: turn of the regency"),
                    ("sum by (service) (mpp_database_pool_in_use)", "{{service}}: connections in use"),
                    meaning="Units of work that wait in the processes.",
                ),
                panel(
                    "Audit log",
                    "short",
                    ("sum by (service) (increase(mpp_audit_rows_sealed_total[5m]))", "{{service}}: rows sealed"),
                    ("sum by (service) (increase(mpp_audit_refusals_lost_total[5m])) > 0", "{{service}}: refusals not written"),
                    meaning="What staff and devices did within five minutes.",
                ),
                panel(
                    "Personal data",
                    "short",
                    ("max(mpp_personal_data_overdue_seconds) / 86400", "days too long"),
                    ("max(mpp_personal_data_unreadable)", "visits that no key opens"),
                    ("min((mpp_breach_tell_by_timestamp_seconds > 0) - time()) / 3600", "hours left to tell of a breach"),
                    meaning="NIK and telephone numbers that should be gone, and that cannot be read; ticketing's log names the regency.",
                ),
                panel(
                    "Units of work",
                    "s",
                    (
                        "histogram_quantile(0.99, sum by (le, service) (rate(mpp_database_work_duration_seconds_bucket[5m])))",
                        "{{service}}",
                    ),
                    meaning="From connection to commit; ninety-nine of a hundred take less.",
                    width=8,
                ),
                panel(
                    "Connections to PostgreSQL",
                    "percentunit",
                    ("max by (service, server) (mpp_database_connections / mpp_database_max_connections)", "{{service}} {{server}}"),
                    meaning="Share of the connections that each service's database server admits.",
                    width=8,
                    limit=0.85,
                ),
                panel(
                    "Oldest open transaction",
                    "s",
                    ("max by (service, server) (mpp_database_oldest_transaction_age_seconds)", "{{service}} {{server}}"),
                    meaning="Whoever holds it; a dump of the database is one too.",
                    width=8,
                    limit=300,
                ),
            ),
        ),
        (
            "Disks and the certificate",
            (
                panel(
                    "Free on disks",
                    "percentunit",
                    (
                        "min by (instance, mountpoint) (node_filesystem_avail_bytes / node_filesystem_size_bytes)",
                        "{{instance}} {{mountpoint}}",
                    ),
                    meaning="As the node exporter sees them; told of below a fifth where that is less than 5 GB.",
                    empty="No node exporter is watched",
                ),
                panel(
                    "The certificate holds for",
                    "s",
                    ("probe_ssl_earliest_cert_expiry - time()", "{{instance}}"),
                    meaning="Renewed by the proxy when a third of its life is left; told of ten days before its end.",
                    empty="No public address is watched: targets/entrance.yml",
                ),
            ),
        ),
        (
            "Deliveries",
            (
                panel(
                    "Attempts",
                    "ops",
                    ("sum by (channel, outcome) (rate(mpp_deliveries_total[5m]))", "{{channel}} {{outcome}}"),
                    meaning="Webhooks and letters by outcome.",
                ),
                panel(
                    "Oldest that is due",
                    "s",
                    ("max by (server) (mpp_delivery_oldest_due_age_seconds)", "{{server}}"),
                    meaning="Due and taken by nobody.",
                    limit=300,
                ),
                panel(
                    "Time to deliver",
                    "s",
                    (
                        "histogram_quantile(0.99, sum by (le, channel) (rate(mpp_delivery_duration_seconds_bucket[5m])))",
                        "{{channel}}",
                    ),
                    meaning="From connection to answer; ninety-nine of a hundred take less.",
                ),
                panel(
                    "Under way, paused, failed rounds",
                    "short",
                    ("sum by (channel) (mpp_deliveries_under_way)", "{{channel}} under way"),
                    ("sum(max by (regency) (mpp_webhooks_paused))", "webhooks paused"),
                    ("sum(increase(mpp_webhook_pauses_total[1h]))", "paused within an hour"),
                    ("sum(increase(mpp_delivery_rounds_failed_total[5m]))", "rounds failed"),
                    meaning="Attempts that run now, webhooks that stand still, rounds that the database refused.",
                ),
            ),
        ),
    ),
)
