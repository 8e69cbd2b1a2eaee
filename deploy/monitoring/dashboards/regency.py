"""One regency: its queues on this day, and whether what follows from them reaches the citizens and other systems."""

from __future__ import annotations

from deploy.monitoring.dashboards.model import Dashboard, Panel, Variable, panel

HERE = 'regency=~"$regency", site=~"$site"'
REGENCY_ONLY = 'regency=~"$regency"'

# Every replica of ticketing measures the same, at its own moment. What is added up must be of one moment, so first within a
# replica (`instance`); then the highest counts.
_WAITING = f"max by (site, lane) (mpp_tickets_waiting{{{HERE}}})"
_LONGEST = f"max by (site, lane) (mpp_tickets_longest_wait_seconds{{{HERE}}})"


def _at_sites(*statuses: str) -> str:
    """Tickets of today in any of these states (none named: all), by site."""
    return f'max by (site) (sum by (site, instance) (mpp_tickets_today{{{HERE}, status=~"{"|".join(statuses) or ".+"}"}}))'


def _mean(*statuses: str) -> str:
    """The same as a mean of the replicas: only means of the states add up to the mean of all."""
    return f'sum(avg by (site, status) (mpp_tickets_today{{{HERE}, status=~"{"|".join(statuses)}"}}))'


def _quantile(quantile: float, metric: str) -> str:
    return f"histogram_quantile({quantile:g}, sum by (le) (rate({metric}_bucket{{{REGENCY_ONLY}}}[15m])))"


def _event_rate(part: str) -> str:
    return f"sum by (consumer) (rate(mpp_regency_event_age_seconds_{part}{{{REGENCY_ONLY}}}[5m]))"


_TOLD_LESS = f'sum(rate(mpp_ticket_estimate_error_seconds_count{{{REGENCY_ONLY}, told="less"}}[15m]))'

NOW: tuple[Panel, ...] = (
    panel("Waiting now", "short", (f"sum({_WAITING})", "waiting"), meaning="Tickets in state waiting.", kind="stat", width=4, height=4),
    panel(
        "Longest wait now",
        "s",
        (f"max({_LONGEST})", "longest"),
        meaning="Wait of the ticket that has waited longest; red from two hours on.",
        kind="stat",
        width=4,
        height=4,
        limit=7200,
    ),
    panel(
        "Counters at work",
        "short",
        (f"sum({_at_sites('called', 'serving')})", "at work"),
        (f"sum(max by (site) (mpp_counters{{{HERE}}}))", "in all"),
        meaning="Counters that have somebody called or being served, and how many the catalogue has.",
        kind="stat",
        width=4,
        height=4,
    ),
    panel("Issued today", "short", (f"sum({_at_sites()})", "issued"), meaning="All tickets of today.", kind="stat", width=4, height=4),
    panel(
        "Completed today",
        "short",
        (f"sum({_at_sites('completed')})", "completed"),
        meaning="Tickets of today whose service was completed.",
        kind="stat",
        width=4,
        height=4,
    ),
    panel(
        "Did not come",
        "percentunit",
        (f"sum({_at_sites('no_show')}) / (sum({_at_sites('no_show', 'completed', 'serving')}) > 0)", "of those called"),
        meaning="Share of those called today who never came to the counter.",
        kind="stat",
        width=4,
        height=4,
        empty="nobody called yet",
    ),
)

DAY: tuple[Panel, ...] = (
    panel(
        "Tickets of today by state",
        "short",
        (_mean("completed"), "completed"),
        (_mean("no_show"), "did not come"),
        (_mean("cancelled", "expired", "void", "transferred"), "given back or expired"),
        (_mean("called", "serving", "on_hold"), "at a counter"),
        (_mean("waiting", "reserved", "printing"), "waiting"),
        meaning="Upon each other they are all tickets issued; the day of each site begins anew at its midnight.",
        kind="stacked",
    ),
    panel(
        "Waiting",
        "short",
        (_WAITING, "{{site}} {{lane}}"),
        meaning="By site and lane: the morning's peak, and whether it is worked off.",
    ),
    panel(
        "How long people waited",
        "s",
        (_quantile(0.5, "mpp_ticket_wait_seconds"), "half"),
        (_quantile(0.9, "mpp_ticket_wait_seconds"), "9 of 10"),
        meaning="Waits that ended with a call within fifteen minutes; all sites. An estimate between fixed bounds: reports/daily is exact.",
        empty="nobody was called",
    ),
    panel(
        "Longest wait",
        "s",
        (_LONGEST, "{{site}} {{lane}}"),
        meaning="A straight line upwards: nobody is called, or somebody was forgotten.",
        limit=7200,
    ),
    panel(
        "How long serving took",
        "s",
        (_quantile(0.5, "mpp_ticket_service_seconds"), "half"),
        (_quantile(0.9, "mpp_ticket_service_seconds"), "9 of 10"),
        meaning="Services completed within fifteen minutes; all sites.",
        empty="nobody was served",
    ),
    panel(
        "Counters at work over the day",
        "short",
        (_at_sites("called", "serving"), "{{site}}: at work"),
        (f"max by (site) (mpp_counters{{{HERE}}})", "{{site}}: in all"),
        meaning="People wait and counters are idle: nobody calls. All are busy: more counters are needed.",
    ),
    panel(
        "How far estimates were off",
        "s",
        (_quantile(0.5, "mpp_ticket_estimate_error_seconds"), "half"),
        (_quantile(0.9, "mpp_ticket_estimate_error_seconds"), "9 of 10"),
        meaning="The wait that was told first against the real one, of those called within fifteen minutes. reports/daily is exact.",
        empty="nobody was called who had been told a wait",
    ),
    panel(
        "Told less than it took",
        "percentunit",
        (f"{_TOLD_LESS} / (sum(rate(mpp_ticket_estimate_error_seconds_count{{{REGENCY_ONLY}}}[15m])) > 0)", "of those called"),
        meaning="Half is fair. Close to all: citizens wait longer than they are told, always.",
        empty="nobody was called who had been told a wait",
    ),
    panel(
        "Called and completed",
        "short",
        (f"sum(increase(mpp_ticket_wait_seconds_count{{{REGENCY_ONLY}}}[15m]))", "called"),
        (f"sum(increase(mpp_ticket_service_seconds_count{{{REGENCY_ONLY}}}[15m]))", "completed"),
        meaning="Within fifteen minutes; all sites.",
        width=24,
    ),
)

FOLLOWING: tuple[Panel, ...] = (
    panel(
        "Requests",
        "reqps",
        (f"sum by (outcome) (rate(mpp_regency_requests_total{{{REGENCY_ONLY}}}[5m]))", "{{outcome}}"),
        meaning="Of apps, kiosks and officers of this regency; refused: 4xx. The logs tell a failure's route (`http_request`, status 5xx).",
    ),
    panel(
        "Requests that failed",
        "short",
        (f'sum(increase(mpp_regency_requests_total{{{REGENCY_ONLY}, outcome="failed"}}[15m]))', "failed"),
        meaning="Answered with 5xx within fifteen minutes.",
        limit=1,
    ),
    panel(
        "Age of events when handled",
        "s",
        (
            f"{_event_rate('sum')} / ({_event_rate('count')} > 0)",
            "{{consumer}}",
        ),
        meaning="Mean age of this regency's events when figures and notices knew them.",
        empty="no events",
        limit=10,
    ),
    panel(
        "Dead letters",
        "short",
        (f"max by (consumer) (mpp_dead_letters_waiting{{{REGENCY_ONLY}}})", "{{consumer}}"),
        meaning="Events given up that wait for a decision: mpp dead-letters list.",
        empty="none",
        limit=1,
    ),
    panel(
        "Webhooks and letters",
        "short",
        (f"sum by (channel, outcome) (increase(mpp_regency_deliveries_total{{{REGENCY_ONLY}}}[15m]))", "{{channel}} {{outcome}}"),
        meaning="Attempts within fifteen minutes, by channel and outcome.",
        empty="nothing was sent",
    ),
    panel(
        "Webhooks paused",
        "short",
        (f"max by (regency) (mpp_webhooks_paused{{{REGENCY_ONLY}}})", "paused"),
        meaning="Their owner has to resume them; what waits is kept for seven days. Counted every ten minutes.",
        empty="not counted yet",
        limit=1,
    ),
)

REGENCY = Dashboard(
    "mpp-regency",
    "MPP regency",
    (("Now", NOW), ("The day", DAY), ("What follows from it", FOLLOWING)),
    variables=(
        Variable("regency", "label_values(mpp_counters, regency)"),
        Variable("site", 'label_values(mpp_counters{regency="$regency"}, site)', several=True),
    ),
    since="now-12h",
)
