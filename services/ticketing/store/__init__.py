"""Ticketing's tables and all of its SQL. Each function is one statement, unless it says otherwise."""

from services.ticketing.store.boards import day, heads, observed_paces, services, site_and_counters
from services.ticketing.store.catalog_copies import catalog_entities, counter_and_site, keep_catalog_entity
from services.ticketing.store.paces import keep_pace, locked_with_pace, pace
from services.ticketing.store.queue_days import close_day, due_days, lock_day, lock_due_day, next_closing, take_number
from services.ticketing.store.tables import PROJECTIONS, Row, catalog_copy, from_row, metadata, ticket
from services.ticketing.store.tickets import (
    expired_count,
    insert,
    locked,
    locked_and_at_its_counter,
    next_and_at_counter,
    open_at_counter,
    open_tickets,
    tickets_by_id,
    update,
)
from services.ticketing.store.views import SiteNow, sites_now, view, view_page

__all__ = [
    "PROJECTIONS",
    "Row",
    "SiteNow",
    "catalog_copy",
    "catalog_entities",
    "close_day",
    "counter_and_site",
    "day",
    "due_days",
    "expired_count",
    "from_row",
    "heads",
    "insert",
    "keep_catalog_entity",
    "keep_pace",
    "lock_day",
    "lock_due_day",
    "locked",
    "locked_and_at_its_counter",
    "locked_with_pace",
    "metadata",
    "next_and_at_counter",
    "next_closing",
    "observed_paces",
    "open_at_counter",
    "open_tickets",
    "pace",
    "services",
    "site_and_counters",
    "sites_now",
    "take_number",
    "ticket",
    "tickets_by_id",
    "update",
    "view",
    "view_page",
]
