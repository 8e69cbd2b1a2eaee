"""What ticketing does: one function per command or query, inside the unit of work that it is given.

Locks are taken in one order, so that commands wait for each other and never in a circle: the site's queue day, tickets
(of one day by number), the pace of a service, and the site's stream when the unit of work ends.
"""

from services.ticketing.store.persons import BEFORE_ALL
from services.ticketing.usecases.answers import public_ticket
from services.ticketing.usecases.boards import get_site_day, get_site_heads
from services.ticketing.usecases.breaches import TIME_TO_TELL, get_breach, list_breaches, record_breach, update_breach
from services.ticketing.usecases.calendar import get_site_hours
from services.ticketing.usecases.calling import call_next, call_ticket, recall_ticket
from services.ticketing.usecases.closing import CLOSING_BATCH, Closing, close_due_day
from services.ticketing.usecases.closures import CANCELLING_BATCH, Cancelling, apply_closures, sites_to_look_at
from services.ticketing.usecases.following import apply_catalog_event
from services.ticketing.usecases.holding import hold_ticket, resume_ticket
from services.ticketing.usecases.issuing import issue_ticket, with_token
from services.ticketing.usecases.persons import (
    ERASING_BATCH,
    Tended,
    erase_person,
    erase_persons,
    export_person,
    export_persons,
    find_persons,
    get_person,
    recognised,
    reveal_person,
    rotate_keys,
    tend_persons,
    withdraw_consent,
)
from services.ticketing.usecases.printing import MOST_PRINTING, PRINTING_TIME, confirm_printing, slips_due, void_overdue
from services.ticketing.usecases.reading import get_ticket, get_ticket_by_token, list_tickets
from services.ticketing.usecases.requeueing import rejoin_ticket, return_ticket, set_priority, undo_call
from services.ticketing.usecases.sealing import PersonKeys
from services.ticketing.usecases.serving import cancel_ticket, complete_ticket, mark_no_show, start_ticket
from services.ticketing.usecases.snapshot import SNAPSHOT
from services.ticketing.usecases.staffing import close_counter, get_desk, get_my_counter, open_counter, pause_counter
from services.ticketing.usecases.transferring import transfer_ticket
from services.ticketing.usecases.visits import check_in

__all__ = [
    "BEFORE_ALL",
    "CANCELLING_BATCH",
    "CLOSING_BATCH",
    "ERASING_BATCH",
    "MOST_PRINTING",
    "PRINTING_TIME",
    "SNAPSHOT",
    "TIME_TO_TELL",
    "Cancelling",
    "Closing",
    "PersonKeys",
    "Tended",
    "apply_catalog_event",
    "apply_closures",
    "call_next",
    "call_ticket",
    "cancel_ticket",
    "check_in",
    "close_counter",
    "close_due_day",
    "complete_ticket",
    "confirm_printing",
    "erase_person",
    "erase_persons",
    "export_person",
    "export_persons",
    "find_persons",
    "get_breach",
    "get_desk",
    "get_my_counter",
    "get_person",
    "get_site_day",
    "get_site_heads",
    "get_site_hours",
    "get_ticket",
    "get_ticket_by_token",
    "hold_ticket",
    "issue_ticket",
    "list_breaches",
    "list_tickets",
    "mark_no_show",
    "open_counter",
    "pause_counter",
    "public_ticket",
    "recall_ticket",
    "recognised",
    "record_breach",
    "rejoin_ticket",
    "resume_ticket",
    "return_ticket",
    "reveal_person",
    "rotate_keys",
    "set_priority",
    "sites_to_look_at",
    "slips_due",
    "start_ticket",
    "tend_persons",
    "transfer_ticket",
    "undo_call",
    "update_breach",
    "void_overdue",
    "with_token",
    "withdraw_consent",
]
