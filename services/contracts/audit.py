"""What every service answers about its audit log: what staff and devices did, and what they tried and might not do."""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.paging import MOST_ITEMS, USUAL_ITEMS
from services.contracts.schema import Choice, ContractSchema, JsonObject, ListOf, Part, Text, WholeNumber
from services.contracts.values import AccountId, Opaque, Timestamp

MOST_EXPORTED = 500
HIGHEST = 2**63 - 1
SERVICES = ("catalog", "ticketing", "notification", "reporting")
_LONGEST_CURSOR = 800

COLUMNS = (
    *("service", "sequence", "at", "actor", "role", "action", "kind", "subject", "site", "agency", "counter"),
    *("before", "after", "refused", "client", "command_id", "traceparent", "id", "hash"),
)
"""Of the CSV file, which is for people; who checks the chain reads NDJSON, which has all that the hashes cover."""


class _AuditFilters(ContractSchema):
    """Which rows are meant; every filter narrows."""

    since = Timestamp(about="Not before this instant.")
    until = Timestamp(about="Before this instant.")
    actor = AccountId(about="Who did it: the id of a staff account or device.")
    action = Text(max_length=60, min_length=1, shape=shapes.WORD, about="What was done, such as `call_ticket` or `update_account`.")
    kind = Text(max_length=60, min_length=1, shape=shapes.WORD, about="Kind of the object: `ticket`, `counter`, `account`, `webhook`.")
    subject = Text(max_length=100, min_length=1, about="Id of the object.")
    outcome = Choice("done", "refused", about="`refused`: what somebody tried whose account may not do it.")
    service = Choice(*SERVICES, about="Only the audit log of this service; left out: those of all services together.")


class ListAudit(_AuditFilters):
    """What staff and devices did in the regency, the newest first."""

    limit = WholeNumber(1, MOST_ITEMS, load_default=USUAL_ITEMS, about="Most items on the page.")
    cursor = Opaque(max_length=_LONGEST_CURSOR, about="`next_cursor` of the page before; left out for the first page.")


class AuditEntry(ContractSchema):
    """What an action made of one object; an action that changed several has several rows with the same `command_id`."""

    service = Text(max_length=40, required=True)
    id = WholeNumber(1, HIGHEST, required=True)
    at = Timestamp(required=True)
    actor = Text(max_length=200, required=True, allow_none=True)
    role = Text(max_length=40, required=True)
    action = Text(max_length=100, required=True)
    kind = Text(max_length=100, required=True, allow_none=True)
    subject = Text(max_length=200, required=True, allow_none=True)
    site = Text(max_length=100, required=True, allow_none=True)
    agency = Text(max_length=100, required=True, allow_none=True)
    counter = Text(max_length=100, required=True, allow_none=True)
    before = JsonObject(required=True, allow_none=True, about="Members that differ, as they were; null: there was no such object.")
    after = JsonObject(required=True, allow_none=True, about="The same members afterwards; null: the object is gone, or nothing changed.")
    refused = Text(max_length=100, required=True, allow_none=True, about="Code of the problem with which it was refused.")
    command_id = Text(max_length=300, required=True, allow_none=True)
    client = Text(max_length=60, required=True, allow_none=True, about="Network from which it was done: /24 of IPv4, /48 of IPv6.")
    traceparent = Text(max_length=100, required=True, allow_none=True)
    sequence = WholeNumber(1, HIGHEST, required=True, allow_none=True, about="Number in the chain; null for some seconds.")
    hash = Text(max_length=64, required=True, allow_none=True, about="SHA-256 over this row and the hash of the row before.")


class AuditPage(ContractSchema):
    """A page of the audit log."""

    items = ListOf(Part(AuditEntry), most=MOST_ITEMS, required=True)
    next_cursor = Opaque(
        max_length=_LONGEST_CURSOR, required=True, allow_none=True, about="Hand it back as `cursor`; null on the last page."
    )


class ExportAudit(_AuditFilters):
    """Rows of one service's chain behind the number `after`, the oldest first; those that are not sealed yet are left out."""

    after = WholeNumber(0, HIGHEST, load_default=0, about="`sequence` of the last row that was seen, together with `service`.")


class AuditLink(AuditEntry):
    """A row as the chain holds it: the SHA-256 of all members but `hash`, as canonical JSON, is `hash`."""

    regency = Text(max_length=40, required=True)
    previous = Text(max_length=64, required=True, about="`hash` of the row before; zeros for the first of the chain.")


class AuditLinks(ContractSchema):
    """Rows of a chain in the order of their numbers."""

    items = ListOf(Part(AuditLink), most=MOST_EXPORTED, required=True)
    next_after = WholeNumber(1, HIGHEST, required=True, allow_none=True, about="Hand it back as `after` to read on; null: that is all.")
