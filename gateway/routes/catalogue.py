"""Routes of the catalogue: sites, agencies, services, counters, and who may sign in.

The catalogue of a regency is public, as it hangs on the wall of the building; accounts and devices are not. Each
collection has the same four routes: list, get, create, change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marshmallow import Schema

from gateway import operations
from gateway.access import PUBLIC, Access, only
from gateway.route import Route, Rpc, Text
from services.contracts import catalog

CURATORS = only("administrator")
"""Who keeps the catalogue."""

AUDITABLE = only("administrator", "auditor")
"""Who may see accounts and devices."""

PAGE = {"limit": "limit", "cursor": "cursor"}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Objects of one kind under ``/v1/{regency}/<path>``."""

    path: str
    noun: str
    """Singular, as in the names of RPC methods and problem codes."""
    one: Text
    many: Text
    readers: Access
    listed: type[Schema]
    page: type[Schema]
    fetched: type[Schema]
    created: type[Schema]
    changed: type[Schema]
    answer: type[Schema]
    filters: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ("reference_unknown", "in_use")
    """What the rules of the catalogue may refuse when such an object is created or changed."""

    def routes(self) -> Iterator[Route]:
        """Yield the four routes."""
        yield from self._reading()
        yield from self._writing()

    def _reading(self) -> Iterator[Route]:
        name = self.noun.capitalize()
        yield Route(
            method="GET",
            path=f"/v1/{{regency}}/{self.path}",
            operation_id=f"list{self.path.capitalize()}",
            summary=Text(f"Daftar {self.many.id}", f"List {self.many.en}"),
            tag=self.path,
            access=self.readers,
            operation=operations.ask_service,
            rpc=Rpc("catalog", f"list_{self.path}", self.listed),
            query={**{name: name for name in self.filters}, **PAGE},
            answer=self.page,
        )
        yield Route(
            method="GET",
            path=f"/v1/{{regency}}/{self.path}/{{id}}",
            operation_id=f"get{name}",
            summary=Text(f"Satu {self.one.id}", f"One {self.one.en}"),
            tag=self.path,
            access=self.readers,
            operation=operations.ask_service,
            rpc=Rpc("catalog", f"get_{self.noun}", self.fetched),
            answer=self.answer,
            tagged=True,
            problems=(f"{self.noun}_unknown",),
        )

    def _writing(self) -> Iterator[Route]:
        name = self.noun.capitalize()
        yield Route(
            method="POST",
            path=f"/v1/{{regency}}/{self.path}",
            operation_id=f"create{name}",
            summary=Text(f"Menambah {self.one.id}", f"Add one {self.one.en}"),
            tag=self.path,
            access=CURATORS,
            operation=operations.ask_service,
            rpc=Rpc("catalog", f"create_{self.noun}", self.created),
            command=True,
            answer=self.answer,
            success=201,
            tagged=True,
            location=f"/v1/{{regency}}/{self.path}/{{id}}",
            problems=("duplicate_id", *self.conflicts),
        )
        yield Route(
            method="PATCH",
            path=f"/v1/{{regency}}/{self.path}/{{id}}",
            operation_id=f"update{name}",
            summary=Text(f"Mengubah {self.one.id}", f"Change one {self.one.en}"),
            tag=self.path,
            access=CURATORS,
            operation=operations.ask_service,
            rpc=Rpc("catalog", f"update_{self.noun}", self.changed),
            command=True,
            answer=self.answer,
            tagged=True,
            problems=(f"{self.noun}_unknown", "version_conflict", *self.conflicts),
        )


COLLECTIONS = (
    Collection(
        path="sites",
        noun="site",
        one=Text("gedung MPP", "site"),
        many=Text("gedung MPP", "sites"),
        readers=PUBLIC,
        listed=catalog.ListSites,
        page=catalog.SitePage,
        fetched=catalog.GetSite,
        created=catalog.CreateSite,
        changed=catalog.UpdateSite,
        answer=catalog.Site,
    ),
    Collection(
        path="agencies",
        noun="agency",
        one=Text("instansi", "agency"),
        many=Text("instansi", "agencies"),
        readers=PUBLIC,
        listed=catalog.ListAgencies,
        page=catalog.AgencyPage,
        fetched=catalog.GetAgency,
        created=catalog.CreateAgency,
        changed=catalog.UpdateAgency,
        answer=catalog.Agency,
        filters=("site",),
        conflicts=("reference_unknown", "in_use", "prefix_taken"),
    ),
    Collection(
        path="services",
        noun="service",
        one=Text("layanan", "public service"),
        many=Text("layanan", "public services"),
        readers=PUBLIC,
        listed=catalog.ListServices,
        page=catalog.ServicePage,
        fetched=catalog.GetService,
        created=catalog.CreateService,
        changed=catalog.UpdateService,
        answer=catalog.PublicService,
        filters=("site", "agency", "search"),
    ),
    Collection(
        path="counters",
        noun="counter",
        one=Text("loket", "counter"),
        many=Text("loket", "counters"),
        readers=PUBLIC,
        listed=catalog.ListCounters,
        page=catalog.CounterPage,
        fetched=catalog.GetCounter,
        created=catalog.CreateCounter,
        changed=catalog.UpdateCounter,
        answer=catalog.Counter,
        filters=("site",),
    ),
    Collection(
        path="accounts",
        noun="account",
        one=Text("akun petugas", "staff account"),
        many=Text("akun petugas", "staff accounts"),
        readers=AUDITABLE,
        listed=catalog.ListAccounts,
        page=catalog.AccountPage,
        fetched=catalog.GetAccount,
        created=catalog.CreateAccount,
        changed=catalog.UpdateAccount,
        answer=catalog.Account,
    ),
    Collection(
        path="devices",
        noun="device",
        one=Text("perangkat", "device"),
        many=Text("perangkat", "devices"),
        readers=AUDITABLE,
        listed=catalog.ListDevices,
        page=catalog.DevicePage,
        fetched=catalog.GetDevice,
        created=catalog.CreateDevice,
        changed=catalog.UpdateDevice,
        answer=catalog.Device,
    ),
)

OPENING_HOURS = Route(
    method="GET",
    path="/v1/{regency}/hours",
    operation_id="getOpeningHours",
    summary=Text("Jam buka sebuah gedung MPP", "Opening hours of a site"),
    tag="sites",
    access=PUBLIC,
    operation=operations.opening_hours,
    rpc=Rpc("catalog", "get_site", catalog.GetSite),
    query={"site": "id"},
    answer=catalog.Site(only=("id", "timezone", "accepting", "enforce_hours", "hours", "version")),
    problems=("site_unknown",),
)

CATALOGUE_ROUTES = (*(route for collection in COLLECTIONS for route in collection.routes()), OPENING_HOURS)
