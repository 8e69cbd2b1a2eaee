"""A regency in every service: added, listed, migrated, wherever its database server is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deploy import parts
from services.chassis.connections import HOME
from services.chassis.provisioning import MigrationReport
from services.chassis.settings import Settings

Progress = Callable[[str], None]


def prepare(settings: Settings) -> None:
    """Create what is missing of databases, logins and platform tables on every server."""
    for server in _servers(settings):
        for provisioner in parts.provisioners(settings, server):
            provisioner.prepare()


def add_regency(settings: Settings, facts: Mapping[str, Any], progress: Progress) -> None:
    """Provision a regency in every service; repeating it completes what was left half done.

    :param facts: the regency as the contract ``Regency`` has it; ``id`` is its slug.
    """
    slug = facts["id"]
    server = settings.placement.get(slug, HOME)
    for provisioner in parts.provisioners(settings, server):
        provisioner.add_regency(slug, facts)
    if server != HOME:
        for provisioner in parts.provisioners(settings):
            provisioner.register(slug, facts)
    progress(f"{slug}: ready in every service" + (f" on {server}" if server != HOME else ""))


def migrate(settings: Settings, progress: Progress, *, again: bool = False) -> list[MigrationReport]:
    """Bring every regency's schema in every service up to date; failures are in the reports.

    :param again: also those that are up to date by the records.
    """
    provisioners = [provisioner for server in _servers(settings) for provisioner in parts.provisioners(settings, server)]
    return [provisioner.migrate(progress, again=again) for provisioner in provisioners]


def regency_table(settings: Settings) -> list[dict[str, Any]]:
    """Return ``{id, name, services}`` of all regencies, where ``services`` lists those that have it."""
    found: dict[str, dict[str, Any]] = {}
    for provisioner in parts.provisioners(settings):
        if not provisioner.exists():
            continue
        for slug, facts in provisioner.regencies().items():
            row = found.setdefault(slug, {"id": slug, "name": facts.get("name", ""), "services": []})
            row["services"].append(provisioner.service)
    return sorted(found.values(), key=lambda row: str(row["id"]))


def _servers(settings: Settings) -> list[str]:
    return [HOME, *sorted(set(settings.placement.values()))]
