"""Events of the catalogue. Each carries the whole object, so a reader replaces what it has when the version is newer."""

from __future__ import annotations

from services.contracts.catalog.entities import Agency, Counter, PublicService, Regency, Site, version
from services.contracts.schema import ContractSchema, Part


class VersionedRegency(Regency):
    """A regency with its version."""

    version = version(required=True)


class RegencyChanged(ContractSchema):
    """A regency was added or changed."""

    regency = Part(VersionedRegency, required=True)


class SiteChanged(ContractSchema):
    """A site was added or changed."""

    site = Part(Site, required=True)


class AgencyChanged(ContractSchema):
    """An agency was added or changed, or where it is present."""

    agency = Part(Agency, required=True)


class ServiceChanged(ContractSchema):
    """A public service was added or changed."""

    service = Part(PublicService, required=True)


class CounterChanged(ContractSchema):
    """A counter was added or changed, or what it serves."""

    counter = Part(Counter, required=True)
