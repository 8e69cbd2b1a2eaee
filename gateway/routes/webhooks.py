"""Routes of webhooks: events of a regency sent to systems of its own, and how their deliveries fare."""

from __future__ import annotations

from marshmallow import Schema

from gateway import operations
from gateway.route import Route, Rpc, Text
from gateway.routes.catalogue import PAGE
from services.contracts import notification as contracts

WEBHOOKS = "/v1/{regency}/webhooks"
ONE = WEBHOOKS + "/{id}"
_TAG = "webhooks"

_UNKNOWN = ("webhook_unknown",)


def _reading(
    path: str, operation_id: str, method: str, payload: type[Schema], answer: type[Schema], summary: Text, **more: object
) -> Route:
    return Route(
        method="GET",
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("notification", method, payload),
        answer=answer,
        **{"digested": "tagged" not in more, **more},  # type: ignore[arg-type]
    )


def _writing(verb: str, path: str, method: str, payload: type[Schema], answer: type[Schema], summary: Text, **more: object) -> Route:
    first, *others = method.split("_")
    return Route(
        method=verb,
        path=path,
        operation_id=first + "".join(word.capitalize() for word in others),
        summary=summary,
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("notification", method, payload),
        command=True,
        answer=answer,
        **more,  # type: ignore[arg-type]
    )


WEBHOOK_ROUTES = (
    _reading(
        WEBHOOKS,
        "listWebhooks",
        "list_webhooks",
        contracts.ListWebhooks,
        contracts.WebhookPage,
        Text("Daftar webhook", "List webhooks"),
        query=PAGE,
    ),
    _writing(
        "POST",
        WEBHOOKS,
        "create_webhook",
        contracts.CreateWebhook,
        contracts.CreatedWebhook,
        Text("Menambah webhook; rahasianya ditampilkan sekali ini saja", "Add a webhook; its secret is shown this once"),
        success=201,
        location=ONE,
        problems=("webhook_limit_reached",),
    ),
    _reading(
        ONE,
        "getWebhook",
        "get_webhook",
        contracts.GetWebhook,
        contracts.Webhook,
        Text("Satu webhook", "One webhook"),
        tagged=True,
        problems=_UNKNOWN,
    ),
    _writing(
        "PATCH",
        ONE,
        "update_webhook",
        contracts.UpdateWebhook,
        contracts.Webhook,
        Text("Mengubah webhook", "Change a webhook"),
        tagged=True,
        guarded=True,
        problems=_UNKNOWN,
    ),
    _writing(
        "DELETE",
        ONE,
        "delete_webhook",
        contracts.DeleteWebhook,
        contracts.Webhook,
        Text("Menghapus webhook beserta yang belum terkirim", "Delete a webhook and what is on its way to it"),
        problems=_UNKNOWN,
    ),
    _writing(
        "POST",
        ONE + "/rotate-secret",
        "rotate_webhook_secret",
        contracts.RotateWebhookSecret,
        contracts.CreatedWebhook,
        Text("Mengganti rahasia; yang lama berlaku sehari lagi", "Give it a new secret; the old one stays valid for a day"),
        problems=_UNKNOWN,
    ),
    _writing(
        "POST",
        ONE + "/test",
        "test_webhook",
        contracts.TestWebhook,
        contracts.Delivery,
        Text("Mengirim mpp.webhook.ping", "Send mpp.webhook.ping"),
        success=201,
        problems=_UNKNOWN,
    ),
    _writing(
        "POST",
        ONE + "/pause",
        "pause_webhook",
        contracts.PauseWebhook,
        contracts.Webhook,
        Text("Menghentikan pengiriman untuk sementara", "Send nothing for a while"),
        problems=_UNKNOWN,
    ),
    _writing(
        "POST",
        ONE + "/resume",
        "resume_webhook",
        contracts.ResumeWebhook,
        contracts.Webhook,
        Text("Melanjutkan pengiriman", "Send again"),
        problems=(*_UNKNOWN, "webhook_state_conflict"),
    ),
    _reading(
        WEBHOOKS + "/{webhook}/deliveries",
        "listWebhookDeliveries",
        "list_webhook_deliveries",
        contracts.ListWebhookDeliveries,
        contracts.DeliveryPage,
        Text("Pengiriman ke sebuah webhook, terbaru dahulu", "Deliveries to a webhook, newest first"),
        query={"state": "state", **PAGE},
        problems=_UNKNOWN,
    ),
    _writing(
        "POST",
        WEBHOOKS + "/{webhook}/deliveries/{id}/redeliver",
        "redeliver_webhook",
        contracts.RedeliverWebhook,
        contracts.Delivery,
        Text("Mengirim ulang ke webhook, dengan webhook-id yang sama", "Send to the webhook again, with the same webhook-id"),
        problems=("delivery_unknown", "delivery_state_conflict"),
    ),
    _reading(
        "/v1/{regency}/deliveries",
        "listDeliveries",
        "list_deliveries",
        contracts.ListDeliveries,
        contracts.DeliveryPage,
        Text("Semua pengiriman, lewat webhook dan surel, terbaru dahulu", "All deliveries, by webhook and e-mail, newest first"),
        query={**{name: name for name in ("channel", "state")}, **PAGE},
    ),
    _writing(
        "POST",
        "/v1/{regency}/deliveries/{id}/redeliver",
        "redeliver",
        contracts.Redeliver,
        contracts.Delivery,
        Text("Mengirim ulang, walaupun mungkin sudah sampai", "Send again, although it may have arrived"),
        problems=("delivery_unknown", "delivery_state_conflict"),
    ),
)
