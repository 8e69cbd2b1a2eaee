"""A regency in every service: added, listed, migrated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.chassis.provisioning import MigrationReport, Provisioner

Progress = Callable[[str], None]


def add_regency(provisioners: Sequence[Provisioner], facts: Mapping[str, Any], progress: Progress) -> None:
    """Provision a regency in every service; repeating it completes what was left half done.

    :param facts: the regency as the contract ``Regency`` has it; ``id`` is its slug.
    """
    for provisioner in provisioners:
        provisioner.add_regency(facts["id"], facts)
    progress(f"{facts['id']}: ready in {len(provisioners)} services")


def migrate(provisioners: Sequence[Provisioner], progress: Progress) -> list[MigrationReport]:
    """Bring every regency's schema in every service up to date; failures are in the reports."""
    return [provisioner.migrate(progress) for provisioner in provisioners]


def regency_table(provisioners: Sequence[Provisioner]) -> list[dict[str, Any]]:
    """Return ``{id, name, services}`` of all regencies, where ``services`` lists those that have it."""
    found: dict[str, dict[str, Any]] = {}
    for provisioner in provisioners:
        if not provisioner.exists():
            continue
        for slug, facts in provisioner.regencies().items():
            row = found.setdefault(slug, {"id": slug, "name": facts.get("name", ""), "services": []})
            row["services"].append(provisioner.service)
    return sorted(found.values(), key=lambda row: str(row["id"]))
