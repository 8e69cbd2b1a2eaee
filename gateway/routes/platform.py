"""Routes of the platform itself: health, metrics, the API's own description, the list of regencies."""

from __future__ import annotations

from gateway import operations
from gateway.route import Route, Rpc, Text
from gateway.routes.schemas import Health
from services.contracts.authorisation import PUBLIC
from services.contracts.catalog import GetRegency, ListRegencies, Regency, RegencyList

_INFRASTRUCTURE = "infrastructure"
_REGENCIES = "regencies"

PLATFORM_ROUTES = (
    Route(
        method="GET",
        path="/healthz",
        operation_id="getHealth",
        summary=Text("Proses ini hidup", "This process is alive"),
        tag=_INFRASTRUCTURE,
        stated_rule=PUBLIC,
        operation=operations.live,
        answer=Health,
        infrastructure=True,
    ),
    Route(
        method="GET",
        path="/readyz",
        operation_id="getReadiness",
        summary=Text("Proses ini siap melayani", "This process can do its work"),
        tag=_INFRASTRUCTURE,
        stated_rule=PUBLIC,
        operation=operations.ready,
        answer=Health,
        problems=("service_unavailable",),
        infrastructure=True,
        costly=True,
    ),
    Route(
        method="GET",
        path="/metrics",
        operation_id="getMetrics",
        summary=Text("Metrik untuk Prometheus", "Metrics for Prometheus"),
        tag=_INFRASTRUCTURE,
        stated_rule=PUBLIC,
        operation=operations.metrics,
        media_type="text/plain",
        infrastructure=True,
        costly=True,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        operation_id="getOpenapi",
        summary=Text("Dokumen OpenAPI ini", "This OpenAPI document"),
        tag=_INFRASTRUCTURE,
        stated_rule=PUBLIC,
        operation=operations.openapi,
        infrastructure=True,
    ),
    Route(
        method="GET",
        path="/asyncapi.json",
        operation_id="getAsyncapi",
        summary=Text("Dokumen AsyncAPI: semua peristiwa", "The AsyncAPI document: all events"),
        tag=_INFRASTRUCTURE,
        stated_rule=PUBLIC,
        operation=operations.asyncapi,
        infrastructure=True,
    ),
    Route(
        method="GET",
        path="/v1/regencies",
        operation_id="listRegencies",
        summary=Text("Semua kabupaten", "All regencies"),
        tag=_REGENCIES,
        operation=operations.ask_service,
        rpc=Rpc("catalog", "list_regencies", ListRegencies),
        answer=RegencyList,
        digested=True,
    ),
    Route(
        method="GET",
        path="/v1/regencies/{regency}",
        operation_id="getRegency",
        summary=Text("Satu kabupaten", "One regency"),
        tag=_REGENCIES,
        operation=operations.ask_service,
        rpc=Rpc("catalog", "get_regency", GetRegency),
        answer=Regency,
        digested=True,
        problems=("regency_unknown",),
    ),
)
