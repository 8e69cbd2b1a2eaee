"""Contracts of notification: what citizens and other systems are told, and where it is delivered."""

from services.contracts.notification.deliveries import (
    Delivery,
    DeliveryPage,
    ListDeliveries,
    ListWebhookDeliveries,
    Redeliver,
    RedeliverWebhook,
)
from services.contracts.notification.mail import CreateSubscription, DeleteSubscription, GetSubscription, Subscription, Unsubscribe
from services.contracts.notification.notices import LOCALES, MOST_NOTICES, NOTICE_KINDS, ListNotices, Notice, NoticeList
from services.contracts.notification.webhooks import (
    CreatedWebhook,
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    ListWebhooks,
    PauseWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
    TestWebhook,
    UpdateWebhook,
    Webhook,
    WebhookPage,
)

__all__ = [
    "LOCALES",
    "MOST_NOTICES",
    "NOTICE_KINDS",
    "CreateSubscription",
    "CreateWebhook",
    "CreatedWebhook",
    "DeleteSubscription",
    "DeleteWebhook",
    "Delivery",
    "DeliveryPage",
    "GetSubscription",
    "GetWebhook",
    "ListDeliveries",
    "ListNotices",
    "ListWebhookDeliveries",
    "ListWebhooks",
    "Notice",
    "NoticeList",
    "PauseWebhook",
    "Redeliver",
    "RedeliverWebhook",
    "ResumeWebhook",
    "RotateWebhookSecret",
    "Subscription",
    "TestWebhook",
    "Unsubscribe",
    "UpdateWebhook",
    "Webhook",
    "WebhookPage",
]
