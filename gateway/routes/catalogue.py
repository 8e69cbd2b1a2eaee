"""Routes of the catalogue: sites, agencies, services, counters, special hours, and who may sign in.

The catalogue of a regency is public, as it hangs on the wall of the building; accounts and devices are not. Each
collection has the same four routes: list, get, create, change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from marshmallow import Schema

from gateway import operations
from gateway.route import Route, Rpc, Text
from services.contracts import catalog, hours

PAGE = {"limit": "limit", "cursor": "cursor"}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Objects of one kind under ``/v1/{regency}/<path>``."""

    path: str
    noun: str
    """Singular, as in the names of RPC methods and problem codes."""
    one: Text
    many: Text
    listed: type[Schema]
    page: type[Schema]
    fetched: type[Schema]
    created: type[Schema]
    changed: type[Schema]
    answer: type[Schema]
    filters: Mapping[str, str] = field(default_factory=dict)
    """Query parameters, each with the member of the query's contract that it becomes."""
    guide: Text | None = None
    """What to know before one is added or changed."""
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
            operation=operations.ask_service,
            rpc=Rpc("catalog", f"list_{self.path}", self.listed),
            query={**self.filters, **PAGE},
            answer=self.page,
            digested=True,
        )
        yield Route(
            method="GET",
            path=f"/v1/{{regency}}/{self.path}/{{id}}",
            operation_id=f"get{name}",
            summary=Text(f"Satu {self.one.id}", f"One {self.one.en}"),
            tag=self.path,
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
            description=self.guide,
            tag=self.path,
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
            description=self.guide,
            tag=self.path,
            operation=operations.ask_service,
            rpc=Rpc("catalog", f"update_{self.noun}", self.changed),
            command=True,
            answer=self.answer,
            tagged=True,
            guarded=True,
            problems=(f"{self.noun}_unknown", *self.conflicts),
        )


COLLECTIONS = (
    Collection(
        path="sites",
        noun="site",
        one=Text("gedung MPP", "site"),
        many=Text("gedung MPP", "sites"),
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
        listed=catalog.ListAgencies,
        page=catalog.AgencyPage,
        fetched=catalog.GetAgency,
        created=catalog.CreateAgency,
        changed=catalog.UpdateAgency,
        answer=catalog.Agency,
        filters={"site": "site"},
        conflicts=("reference_unknown", "in_use", "prefix_taken"),
    ),
    Collection(
        path="services",
        noun="service",
        one=Text("layanan", "public service"),
        many=Text("layanan", "public services"),
        listed=catalog.ListServices,
        page=catalog.ServicePage,
        fetched=catalog.GetService,
        created=catalog.CreateService,
        changed=catalog.UpdateService,
        answer=catalog.PublicService,
        filters={name: name for name in ("site", "agency", "search")},
    ),
    Collection(
        path="counters",
        noun="counter",
        one=Text("loket", "counter"),
        many=Text("loket", "counters"),
        listed=catalog.ListCounters,
        page=catalog.CounterPage,
        fetched=catalog.GetCounter,
        created=catalog.CreateCounter,
        changed=catalog.UpdateCounter,
        answer=catalog.Counter,
        filters={"site": "site"},
    ),
    Collection(
        path="hours",
        noun="hours",
        one=Text("hari dengan jam buka lain", "entry of special hours"),
        many=Text("hari dengan jam buka lain (libur, Ramadan, penutupan)", "days with other hours (holidays, Ramadan, closures)"),
        listed=catalog.ListHours,
        page=catalog.HoursPage,
        fetched=catalog.GetHours,
        created=catalog.CreateHours,
        changed=catalog.UpdateHours,
        answer=catalog.SpecialHours,
        filters={"from": "since", "to": "until", "site": "site"},
        guide=Text(
            "Tanpa `hours` pada hari-hari itu tutup; tanpa `site` atau `agency` berlaku untuk semuanya; `active: false` menarik kembali."
            " `closure` adalah penutupan yang tidak direncanakan: bila berlaku hari ini, nomor yang masih menunggu segera dibatalkan dan"
            " pemiliknya diberi tahu. Yang direncanakan adalah `other`. Yang berlaku: penutupan, lalu hari tertentu, lalu Ramadan; di"
            " antaranya yang paling khusus.",
            "Without `hours` these days are closed; without `site` or `agency` they are of all; `active: false` takes them back."
            " A `closure` is one that nobody foresaw: if it holds today, numbers that still wait are cancelled at once and their"
            " holders told. What was planned is `other`. A closure counts before single days, these before Ramadan; among them the more"
            " specific entry.",
        ),
        conflicts=("reference_unknown",),
    ),
    Collection(
        path="accounts",
        noun="account",
        one=Text("akun petugas", "staff account"),
        many=Text("akun petugas", "staff accounts"),
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
        listed=catalog.ListDevices,
        page=catalog.DevicePage,
        fetched=catalog.GetDevice,
        created=catalog.CreateDevice,
        changed=catalog.UpdateDevice,
        answer=catalog.Device,
    ),
)

SITE_HOURS = Route(
    method="GET",
    path="/v1/{regency}/sites/{site}/hours",
    operation_id="getSiteHours",
    summary=Text("Jam buka sebuah gedung MPP, hari demi hari", "Opening hours of a site, day by day"),
    description=Text(
        "Jam buka menurut tanggal setempat, dari `from` sampai `to` (paling banyak 62 hari; tanpa keduanya: tujuh hari mulai hari ini),"
        " dengan hari libur, Ramadan, dan penutupan yang sudah diperhitungkan. `agencies` menyebut instansi yang jamnya berbeda dari"
        " gedungnya; yang tidak disebut buka selama gedung buka.",
        "Opening hours by local date, from `from` to `to` (at most 62 days; without either: seven days from today), with holidays,"
        " Ramadan and closures taken into account. `agencies` names those whose hours differ from the site's; the others are there as"
        " long as the site is open.",
    ),
    tag="hours",
    operation=operations.ask_service,
    rpc=Rpc("ticketing", "get_site_hours", hours.GetSiteHours),
    query={"from": "since", "to": "until"},
    answer=hours.SiteHours,
    digested=True,
    problems=("site_unknown",),
)

CATALOGUE_ROUTES = (*(route for collection in COLLECTIONS for route in collection.routes()), SITE_HOURS)
