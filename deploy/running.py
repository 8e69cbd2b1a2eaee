"""One part as one process of a deployed platform."""

from __future__ import annotations

from collections.abc import Callable

from services.chassis import process
from services.chassis.settings import EMBEDDED_BROKER, SERVICES, Settings, SettingsError
from services.contracts.subscriptions import SUBSCRIPTIONS


def run_part(part: str, service_class: Callable[[str], type]) -> int:
    """Run a part until a signal ends it; return the exit status.

    :raises SettingsError: something that this part needs is not set, said before anything starts.
    """
    settings = Settings.from_environment()
    if settings.required_broker_url().startswith(EMBEDDED_BROKER):
        raise SettingsError("MPP_BROKER_URL: the embedded broker connects nothing but one process; use amqp://...")
    if part in SERVICES:
        settings.database_url(part)
    if part == "catalog":
        settings.required_token_secrets()
    if part == "ticketing":
        settings.required_ticket_token_secret()
    if part == "notification":
        settings.required_encryption_keys()
    return process.run([service_class(part)], settings, SUBSCRIPTIONS)
