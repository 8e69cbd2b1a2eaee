"""Queries of the catalogue. A filter that is left out filters nothing."""

from __future__ import annotations

from services.contracts.paging import PageQuery
from services.contracts.schema import ContractSchema, PlainText
from services.contracts.values import AgencyCode, CounterId, ServiceId, Slug


class ListRegencies(ContractSchema):
    """All regencies of the platform, by id."""


class GetRegency(ContractSchema):
    """One regency."""

    regency = Slug(required=True)


class ListSites(PageQuery):
    """Sites of the regency, by id."""


class GetSite(ContractSchema):
    """One site."""

    id = Slug(required=True)


class ListAgencies(PageQuery):
    """Agencies of the regency, or of one site, by id."""

    site = Slug()


class GetAgency(ContractSchema):
    """One agency."""

    id = AgencyCode(required=True)


class ListServices(PageQuery):
    """Public services of the regency, by id; those offered at `site`, of `agency`, whose name holds `search`."""

    site = Slug()
    agency = AgencyCode()
    search = PlainText(100, about="Part of the name, in capital or small letters.")


class GetService(ContractSchema):
    """One public service."""

    id = ServiceId(required=True)


class ListCounters(PageQuery):
    """Counters of the regency, or of one site, by id."""

    site = Slug()


class GetCounter(ContractSchema):
    """One counter."""

    id = CounterId(required=True)
