"""All regencies side by side: which one needs somebody's attention."""

from __future__ import annotations

from deploy.monitoring.dashboards.model import Dashboard, panel

_EACH_SITE = "max by (regency, site, lane)"


def _today(status: str = ".+") -> str:
    """Tickets by regency, added up within each replica, whose moments differ; the highest counts."""
    return f'max by (regency) (sum by (regency, instance) (mpp_tickets_today{{status=~"{status}"}}))'


def _mean(status: str) -> str:
    return f'sum(avg by (regency, site, status) (mpp_tickets_today{{status=~"{status}"}}))'


REGENCIES = Dashboard(
    "mpp-regencies",
    "MPP all regencies",
    (
        (
            "All regencies",
            (
                panel(
                    "Regencies",
                    "short",
                    (f"sum by (regency) ({_EACH_SITE} (mpp_tickets_waiting))", "waiting"),
                    (f"max by (regency) ({_EACH_SITE} (mpp_tickets_longest_wait_seconds))", "longest wait"),
                    (_today("called|serving"), "counters at work"),
                    ("sum by (regency) (max by (regency, site) (mpp_counters))", "counters"),
                    (_today(), "issued today"),
                    (_today("completed"), "completed today"),
                    ('sum by (regency) (increase(mpp_regency_requests_total{outcome="failed"}[15m]))', "requests failed (15 min)"),
                    ("sum by (regency) (max by (regency, consumer) (mpp_dead_letters_waiting))", "dead letters"),
                    ("max by (regency) (mpp_webhooks_paused)", "webhooks paused"),
                    meaning="Now and today; a click on a name opens the regency. The heads sort.",
                    kind="table",
                    width=24,
                    height=14,
                    units=(("longest wait", "s"),),
                    link=("regency", "/d/mpp-regency?var-regency=${__value.text}&${__url_time_range}"),
                ),
            ),
        ),
        (
            "The country's day",
            (
                panel(
                    "Tickets of today by state",
                    "short",
                    (_mean("completed"), "completed"),
                    (_mean("no_show"), "did not come"),
                    (_mean("cancelled|expired|void|transferred"), "given back or expired"),
                    (_mean("called|serving|on_hold"), "at a counter"),
                    (_mean("waiting|reserved|printing"), "waiting"),
                    meaning="Of all regencies, upon each other: all tickets issued.",
                    kind="stacked",
                ),
                panel(
                    "Waiting in all regencies",
                    "short",
                    (f"sum by (lane) ({_EACH_SITE} (mpp_tickets_waiting))", "{{lane}}"),
                    meaning="By lane.",
                ),
                panel(
                    "How long people waited",
                    "s",
                    ("histogram_quantile(0.5, sum by (le) (rate(mpp_ticket_wait_seconds_bucket[15m])))", "half"),
                    ("histogram_quantile(0.9, sum by (le) (rate(mpp_ticket_wait_seconds_bucket[15m])))", "9 of 10"),
                    meaning="Waits that ended with a call within fifteen minutes, in all regencies.",
                    empty="nobody was called",
                ),
                panel(
                    "Longest waits",
                    "s",
                    ("topk(10, max by (regency) (mpp_tickets_longest_wait_seconds))", "{{regency}}"),
                    meaning="The ten regencies with the longest wait now.",
                    kind="bargauge",
                    limit=7200,
                ),
                panel(
                    "Behind in migrations",
                    "short",
                    ("max by (service) (mpp_regencies_behind)", "{{service}}"),
                    meaning="Regencies whose tables are older than the program: mpp migrate.",
                    limit=1,
                ),
                panel(
                    "Dead letters",
                    "short",
                    ("sum by (regency) (max by (regency, consumer) (mpp_dead_letters_waiting))", "{{regency}}"),
                    meaning="Events given up that wait for a decision: mpp dead-letters list.",
                    empty="none",
                    limit=1,
                ),
            ),
        ),
    ),
    since="now-12h",
)
