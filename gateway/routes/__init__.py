"""The route table: the one list of what the API offers, by which requests are served and the API is described."""

from gateway.routes.audit import AUDIT_ROUTES
from gateway.routes.authentication import AUTHENTICATION_ROUTES
from gateway.routes.boards import BOARD_ROUTES
from gateway.routes.catalogue import CATALOGUE_ROUTES
from gateway.routes.events import EVENT_ROUTES
from gateway.routes.pages import PAGE_ROUTES
from gateway.routes.persons import BREACH_ROUTES, PERSON_ROUTES
from gateway.routes.platform import PLATFORM_ROUTES
from gateway.routes.reports import REPORT_ROUTES
from gateway.routes.subscriptions import SUBSCRIPTION_ROUTES
from gateway.routes.tickets import TICKET_ROUTES
from gateway.routes.webhooks import WEBHOOK_ROUTES

ROUTES = (
    *PLATFORM_ROUTES,
    *AUTHENTICATION_ROUTES,
    *CATALOGUE_ROUTES,
    *TICKET_ROUTES,
    *PERSON_ROUTES,
    *BREACH_ROUTES,
    *BOARD_ROUTES,
    *EVENT_ROUTES,
    *WEBHOOK_ROUTES,
    *SUBSCRIPTION_ROUTES,
    *REPORT_ROUTES,
    *AUDIT_ROUTES,
)

__all__ = ["PAGE_ROUTES", "ROUTES"]
