"""The parts of the platform by name: what can be run, and which of them own a database."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import services
from services.chassis.connections import HOME, url_on
from services.chassis.provisioning import Provisioner
from services.chassis.rebuilding import Projections
from services.chassis.settings import SERVICES, Settings

PARTS = {
    **{service: (f"services.{service}.service", f"{service.capitalize()}Service") for service in SERVICES},
    "gateway": ("gateway.service", "GatewayService"),
}
"""Where the nameko class of each part is. Imported when run: only then has the process been made green."""


def service_class(part: str) -> type:
    """Return the nameko class of a part."""
    module, name = PARTS[part]
    found: type = getattr(import_module(module), name)
    return found


def projections(service: str) -> Projections:
    """Return the tables of a service that can be made again from what it was told, by consumer; empty when it has none."""
    store = import_module(f"services.{service}.store")
    found: Projections = getattr(store, "PROJECTIONS", {})
    return found


def after_restore(service: str) -> tuple[Any, ...]:
    """Return the statements, each with ``:regency`` and ``:now``, that a service wants done after its tables were brought back."""
    found: tuple[Any, ...] = getattr(import_module(f"services.{service}.store"), "AFTER_RESTORE", ())
    return found


def provisioners(settings: Settings, server: str = HOME) -> list[Provisioner]:
    """Return one provisioner per service that owns a database, for one database server."""
    admin_url = url_on(server, settings.required_admin_database_url())
    return [Provisioner(service, url_on(server, settings.database_url(service)), admin_url, _migrations(service)) for service in SERVICES]


def _migrations(service: str) -> Path:
    return Path(services.__path__[0]) / service / "migrations"
