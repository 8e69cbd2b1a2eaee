"""Notification's tables and all of its SQL. Each function is one statement, or says which it needs besides."""

from services.notification.store import deliveries, hints, keys, mail, webhooks
from services.notification.store.after_restore import AFTER_RESTORE
from services.notification.store.notices import (
    PROJECTIONS,
    Audience,
    Notice,
    Version,
    audience_of,
    follow,
    keep_notices,
    keep_place_name,
    newest_heard,
    newest_notices,
)

__all__ = [
    "AFTER_RESTORE",
    "PROJECTIONS",
    "Audience",
    "Notice",
    "Version",
    "audience_of",
    "deliveries",
    "follow",
    "hints",
    "keep_notices",
    "keep_place_name",
    "keys",
    "mail",
    "newest_heard",
    "newest_notices",
    "webhooks",
]
