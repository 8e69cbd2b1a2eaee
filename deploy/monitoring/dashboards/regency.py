"""Regencies: who waits where, and for how long."""

from __future__ import annotations

from deploy.monitoring.dashboards.model import Dashboard, panel

REGENCY = Dashboard(
    "mpp-regency",
    "MPP regency",
    (
        (
            "$regency",
            (
                panel(
                    "Waiting now",
                    "short",
                    ('max by (regency) (mpp_tickets_waiting{regency=~"$regency"})', "{{regency}}"),
                    meaning="Tickets in state waiting.",
                    kind="stat",
                    width=6,
                ),
                panel(
                    "Longest wait now",
                    "s",
                    ('max by (regency) (mpp_tickets_longest_wait_seconds{regency=~"$regency"})', "{{regency}}"),
                    meaning="Wait of the ticket that has waited longest.",
                    kind="stat",
                    width=6,
                    limit=7200,
                ),
                panel(
                    "Waiting over the day",
                    "short",
                    ('max by (regency) (mpp_tickets_waiting{regency=~"$regency"})', "{{regency}}"),
                    meaning="The morning's peak, and whether it is worked off.",
                ),
                panel(
                    "Longest wait over the day",
                    "s",
                    ('max by (regency) (mpp_tickets_longest_wait_seconds{regency=~"$regency"})', "{{regency}}"),
                    meaning="A straight line upwards: nobody is called, or somebody was forgotten.",
                    width=24,
                    limit=7200,
                ),
            ),
        ),
        (
            "All regencies",
            (
                panel(
                    "Most waiting",
                    "short",
                    ("topk(20, max by (regency) (mpp_tickets_waiting))", "{{regency}}"),
                    meaning="The twenty fullest.",
                    kind="bargauge",
                ),
                panel(
                    "Longest waits",
                    "s",
                    ("topk(20, max by (regency) (mpp_tickets_longest_wait_seconds))", "{{regency}}"),
                    meaning="The twenty with the longest wait.",
                    kind="bargauge",
                    limit=7200,
                ),
                panel(
                    "Waiting in all regencies",
                    "short",
                    ("sum(max by (regency) (mpp_tickets_waiting))", "waiting"),
                    meaning="Replicas measure the same, so each regency counts once.",
                ),
                panel(
                    "Behind in migrations",
                    "short",
                    ("max by (service) (mpp_regencies_behind)", "{{service}}"),
                    meaning="Regencies whose tables are older than the program: mpp migrate.",
                    limit=1,
                ),
            ),
        ),
    ),
    variable=("regency", "label_values(mpp_tickets_waiting, regency)"),
)
