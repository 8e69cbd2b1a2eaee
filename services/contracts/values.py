"""Fields for the values of this domain: names, codes, numbers and times as people know them."""

from __future__ import annotations

from typing import Any

from services.contracts import shapes
from services.contracts.schema import Text


class Slug(Text):
    """Name of a regency or site in addresses: lower case with hyphens, at most 40 characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, shape=shapes.SLUG, **options)


class AgencyCode(Text):
    """Id of an agency within a regency, such as ``CPL``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=8, shape=shapes.AGENCY_CODE, **options)


class ServiceCode(Text):
    """Code of a public service within its agency, such as ``KTP``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=8, shape=shapes.SERVICE_CODE, **options)


class ServiceId(Text):
    """Id of a public service: agency code and service code, such as ``CPL-KTP``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=17, shape=shapes.SERVICE_ID, **options)


class CounterId(Text):
    """Id of a counter: site and number of two digits or more, such as ``sukadana-05``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=44, shape=shapes.COUNTER_ID, **options)


class AccountId(Text):
    """Id of a staff account or device, and its user name: ``officer@lampung-timur``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, shape=shapes.ACCOUNT_ID, **options)


class Prefix(Text):
    """Letters before the running number of a ticket: ``A``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=2, shape=shapes.PREFIX, **options)


class TicketNumber(Text):
    """What the citizen reads on the slip and the screen: ``A-012``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=10, shape=shapes.TICKET_NUMBER, **options)


class Opaque(Text):
    """A value that only its maker reads (cursor, token): printable ASCII without spaces."""

    def __init__(self, max_length: int = 200, **options: Any) -> None:
        super().__init__(max_length=max_length, min_length=1, shape=shapes.OPAQUE, **options)


class TicketId(Text):
    """Id of a ticket or visit: a UUID in lower case."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=36, shape=shapes.UUID, metadata={"format": "uuid"}, **options)


class RegencyCode(Text):
    """Code of a regency by the Ministry of Home Affairs (Kemendagri): ``18.07``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=5, shape=shapes.REGENCY_CODE, **options)


class Timestamp(Text):
    """An instant: RFC 3339 with offset, at most microseconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=35, shape=shapes.TIMESTAMP, metadata={"format": "date-time"}, **options)


class BusinessDate(Text):
    """A local date at the site, ``YYYY-MM-DD``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=10, shape=shapes.DATE, metadata={"format": "date"}, **options)


class PartialDate(Text):
    """A date as exact as it is known: ``2025``, ``2025-06`` or ``2025-06-11``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=10, shape=shapes.PARTIAL_DATE, **options)


class LocalTime(Text):
    """A time of day at the site, ``HH:MM``, 00:00 to 23:59."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=5, shape=shapes.LOCAL_TIME, **options)


class ClosingTime(Text):
    """A time of day at the site that ends something, ``HH:MM``; 24:00 is the end of the day."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=5, shape=shapes.CLOSING_TIME, **options)


class TimeZone(Text):
    """A time zone of the IANA database: ``Asia/Jakarta``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, shape=shapes.TIMEZONE, **options)
