"""Routes of pages for people. They are no part of the API, and so not in its document."""

from __future__ import annotations

from gateway.pages import operations
from gateway.route import Route, Text
from services.contracts.authorisation import PUBLIC


def _page(path: str, operation_id: str, operation: operations.Operation, summary: Text, *, part: bool = False) -> Route:
    return Route(
        method="GET",
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag="pages",
        stated_rule=PUBLIC,
        operation=operation,
        media_type="text/html",
        page=True,
        infrastructure=part,
    )


PAGE_ROUTES = (
    _page("/", "showStart", operations.regencies, Text("Pilih kabupaten", "Choose a regency")),
    _page("/boards", "listBoardRegencies", operations.regencies, Text("Pilih kabupaten", "Choose a regency")),
    _page("/boards/{regency}", "listBoardSites", operations.sites, Text("Pilih gedung", "Choose a site")),
    _page("/boards/{regency}/{site}", "showBoard", operations.board, Text("Papan antrean", "The board of a site")),
    _page("/static/{name}", "getStatic", operations.static_file, Text("Bagian halaman", "Parts of pages"), part=True),
)
