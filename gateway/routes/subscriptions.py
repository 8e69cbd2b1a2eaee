"""Routes of subscriptions: the holder of a ticket's token has its notices sent to an e-mail address."""

from __future__ import annotations

from gateway import operations
from gateway.route import Route, Rpc, Text
from services.contracts import notification as contracts

SUBSCRIPTIONS = "/v1/{regency}/subscriptions"
ONE = SUBSCRIPTIONS + "/{id}"
_TAG = "subscriptions"
_OF_TICKET = ("ticket_unknown",)

SUBSCRIPTION_ROUTES = (
    Route(
        method="POST",
        path=SUBSCRIPTIONS,
        operation_id="createSubscription",
        summary=Text("Meminta kabar sebuah nomor antrean lewat surel", "Have the notices of a ticket sent by e-mail"),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("notification", "create_subscription", contracts.CreateSubscription),
        command=True,
        answer=contracts.Subscription,
        success=201,
        location=ONE,
        problems=(*_OF_TICKET, "ticket_state_conflict", "subscription_limit_reached", "mail_not_configured"),
    ),
    Route(
        method="GET",
        path=ONE,
        operation_id="getSubscription",
        summary=Text("Satu langganan; alamatnya disamarkan", "One subscription; its address is masked"),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("notification", "get_subscription", contracts.GetSubscription),
        answer=contracts.Subscription,
        digested=True,
        problems=("subscription_unknown", *_OF_TICKET),
    ),
    Route(
        method="DELETE",
        path=ONE,
        operation_id="deleteSubscription",
        summary=Text("Mengakhiri langganan dan menghapus alamatnya", "End a subscription and erase its address"),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("notification", "delete_subscription", contracts.DeleteSubscription),
        command=True,
        answer=contracts.Subscription,
        problems=("subscription_unknown", *_OF_TICKET),
    ),
    Route(
        method="POST",
        path=ONE + "/unsubscribe",
        operation_id="unsubscribe",
        summary=Text("Berhenti berlangganan dari program surel (RFC 8058)", "Unsubscribe from a mail program (RFC 8058)"),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("notification", "unsubscribe", contracts.Unsubscribe),
        command=True,
        any_body=True,
        answer=contracts.Subscription,
        problems=("subscription_unknown",),
    ),
)
