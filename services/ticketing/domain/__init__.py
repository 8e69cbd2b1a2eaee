"""The rules of the queue: states, numbers, days, rights, estimates. Plain calculation; the instant is passed in."""

from services.ticketing.domain.access import (
    CALLING_ROLES,
    CHANNELS_OF_ROLE,
    READING_ROLES,
    STAFF_ROLES,
    check_agency,
    check_channel,
    check_device_site,
    check_role,
    check_ticket_token,
    ticket_of_token,
    ticket_token,
)
from services.ticketing.domain.counters import agency_of, check_counter_free, check_nobody_served, prefix_at, services_for
from services.ticketing.domain.days import business_date, check_site_takes_numbers, end_of_day, is_open
from services.ticketing.domain.estimates import DEFAULT_SERVING_SECONDS, estimated_wait, new_pace
from services.ticketing.domain.refusal import QueueRefusal
from services.ticketing.domain.tickets import (
    AT_COUNTER_STATES,
    OPEN_STATES,
    TRANSITIONS,
    Period,
    Ticket,
    changed,
    check_day,
    check_recall,
    issued,
)

__all__ = [
    "AT_COUNTER_STATES",
    "CALLING_ROLES",
    "CHANNELS_OF_ROLE",
    "DEFAULT_SERVING_SECONDS",
    "OPEN_STATES",
    "READING_ROLES",
    "STAFF_ROLES",
    "TRANSITIONS",
    "Period",
    "QueueRefusal",
    "Ticket",
    "agency_of",
    "business_date",
    "changed",
    "check_agency",
    "check_channel",
    "check_counter_free",
    "check_day",
    "check_device_site",
    "check_nobody_served",
    "check_recall",
    "check_role",
    "check_site_takes_numbers",
    "check_ticket_token",
    "end_of_day",
    "estimated_wait",
    "is_open",
    "issued",
    "new_pace",
    "prefix_at",
    "services_for",
    "ticket_of_token",
    "ticket_token",
]
