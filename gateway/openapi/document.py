"""Puts the document together: general description, components, one operation per route."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from gateway.openapi.components import HEADERS, PROBLEM_SCHEMA, SECURITY_SCHEMES
from gateway.openapi.operation import operation_of
from gateway.openapi.problem_answers import problem_examples
from gateway.route import Route, Text

API_VERSION = "1"

TITLE = Text("MPP: antrean Mal Pelayanan Publik", "MPP: queues of public service malls")
DESCRIPTION = Text(
    "Mengambil, memanggil dan melayani nomor antrean. Waktu ditulis menurut RFC 3339 dengan selisih zona; daftar "
    "dibaca per halaman dengan `cursor`; kesalahan adalah dokumen masalah (RFC 9457) dengan `code` yang tetap, dalam "
    "bahasa `Accept-Language`. Perintah yang dikirim ulang dengan `Idempotency-Key` yang sama hanya dilakukan sekali.",
    "Take, call and serve tickets. Times are RFC 3339 with offset; lists are read page by page with `cursor`; errors "
    "are problem documents (RFC 9457) with a stable `code`, in the language of `Accept-Language`. A command that is "
    "sent again with the same `Idempotency-Key` is done once.",
)

TAGS = {
    "tickets": Text("Nomor antrean", "Tickets"),
    "boards": Text("Papan antrean", "Boards"),
    "authentication": Text("Masuk", "Signing in"),
    "regencies": Text("Kabupaten", "Regencies"),
    "sites": Text("Gedung MPP", "Sites"),
    "agencies": Text("Instansi", "Agencies"),
    "services": Text("Layanan", "Public services"),
    "counters": Text("Loket", "Counters"),
    "hours": Text("Jam buka, hari libur dan penutupan", "Opening hours, holidays and closures"),
    "accounts": Text("Akun petugas", "Staff accounts"),
    "devices": Text("Kios dan layar", "Kiosks and displays"),
    "events": Text("Peristiwa", "Events"),
    "reports": Text("Laporan", "Reports"),
    "surveys": Text("Survei kepuasan", "Satisfaction surveys"),
    "audit": Text("Log audit", "Audit log"),
    "infrastructure": Text("Untuk pengelola sistem", "For those who run the system"),
}


def openapi_document(routes: Iterable[Route], language: str) -> dict[str, Any]:
    """Return the document of ``routes`` with its sentences in ``language`` ("id" or "en")."""
    spec = APISpec(
        title=TITLE.to(language),
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_component_name)],
        info={"description": DESCRIPTION.to(language)},
        tags=[{"name": name, "description": text.to(language)} for name, text in TAGS.items()],
        security=[],
    )
    for name, scheme in SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, {**scheme, "description": scheme["description"].to(language)})
    for name, header in HEADERS.items():
        spec.components.header(name, {**header, "description": header["description"].to(language)})
    spec.components.schema("Problem", PROBLEM_SCHEMA)
    routes = tuple(route for route in routes if not route.page)
    for code, example in problem_examples(routes, language).items():
        spec.components.example(code, example)
    for route in routes:
        spec.path(path=route.path, operations={route.method.lower(): operation_of(route, language)})
    document: dict[str, Any] = spec.to_dict()
    return document


def _component_name(schema: Any) -> str:
    described = schema if isinstance(schema, type) else type(schema)
    only = getattr(schema, "only", None)
    # A part of an object is described under a name of its own: the hours of a site are not a site.
    return f"{described.__name__}Extract" if only else described.__name__
