"""A regency as one document, as `mpp seed` loads it: objects without versions, in any order of dependence."""

from __future__ import annotations

from services.contracts.catalog.access import CreateAccount, CreateDevice
from services.contracts.catalog.commands import CreateAgency, CreateCounter, CreateService, CreateSite
from services.contracts.catalog.entities import Regency
from services.contracts.catalog.hours import CreateHours
from services.contracts.schema import ContractSchema, ListOf, Part, Password, TrueOrFalse, WholeNumber


class LoadedAccount(CreateAccount):
    """A staff account of a document; a demonstration may use short passwords."""

    password = Password(min_length=1, required=True)


class LoadedDevice(CreateDevice):
    """A device of a document; a demonstration may use short passwords."""

    password = Password(min_length=1, required=True)


class RegencyDocument(ContractSchema):
    """A regency with its sites, agencies, public services and counters, and optionally special hours, accounts and devices."""

    regency = Part(Regency, required=True)
    sites = ListOf(Part(CreateSite), most=100, required=True)
    agencies = ListOf(Part(CreateAgency), most=500, required=True)
    services = ListOf(Part(CreateService), most=5000, required=True)
    counters = ListOf(Part(CreateCounter), most=5000, required=True)
    hours = ListOf(Part(CreateHours), most=2000, load_default=list)
    accounts = ListOf(Part(LoadedAccount), most=5000, load_default=list)
    devices = ListOf(Part(LoadedDevice), most=5000, load_default=list)


class LoadRegency(ContractSchema):
    """Bring the catalogue of a regency to what the document says; what the document does not name stays."""

    document = Part(RegencyDocument, required=True)
    overwrite = TrueOrFalse(load_default=False, about="Also change what exists already; otherwise only add what is missing.")


class RegencyLoaded(ContractSchema):
    """How many objects of the document were created, updated, or stood as they were."""

    created = WholeNumber(0, 1_000_000, required=True)
    updated = WholeNumber(0, 1_000_000, required=True)
    unchanged = WholeNumber(0, 1_000_000, required=True)
