"""What notification does: one function per command, query or event, inside the unit of work that it is given."""

from services.notification.usecases.deliveries import list_deliveries, redeliver, redeliver_webhook
from services.notification.usecases.keys import rotate_keys
from services.notification.usecases.notices import apply_catalog_event, apply_other_event, apply_ticket_events, list_notices
from services.notification.usecases.planning import Courier, Room
from services.notification.usecases.subscriptions import (
    create_subscription,
    delete_subscription,
    get_subscription,
    subscriptions_of_visits,
    unsubscribe,
)
from services.notification.usecases.webhooks import (
    create_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
    pause_webhook,
    resume_webhook,
    rotate_webhook_secret,
    test_webhook,
    update_webhook,
    with_secret,
)

__all__ = [
    "Courier",
    "Room",
    "apply_catalog_event",
    "apply_other_event",
    "apply_ticket_events",
    "create_subscription",
    "create_webhook",
    "delete_subscription",
    "delete_webhook",
    "get_subscription",
    "get_webhook",
    "list_deliveries",
    "list_notices",
    "list_webhooks",
    "pause_webhook",
    "redeliver",
    "redeliver_webhook",
    "resume_webhook",
    "rotate_keys",
    "rotate_webhook_secret",
    "subscriptions_of_visits",
    "test_webhook",
    "unsubscribe",
    "update_webhook",
    "with_secret",
]
