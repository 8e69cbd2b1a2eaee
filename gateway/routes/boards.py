"""Routes of what hangs on the wall: a site's board, once and live."""

from __future__ import annotations

from gateway import live
from gateway.route import EVENT_STREAM, Route, Rpc, Text
from services.contracts.board import Board, GetSiteDay

_BOARD = "/v1/{regency}/sites/{site}/board"

BOARD_ROUTES = (
    Route(
        method="GET",
        path=_BOARD,
        operation_id="getBoard",
        summary=Text("Papan antrean sebuah gedung MPP", "The board of a site"),
        tag="boards",
        operation=live.board,
        rpc=Rpc("ticketing", "get_site_day", GetSiteDay),
        answer=Board,
        tagged=True,
        problems=("site_unknown",),
    ),
    Route(
        method="GET",
        path=f"{_BOARD}/stream",
        operation_id="streamBoard",
        summary=Text("Papan antrean, disiarkan setiap kali berubah", "The board, sent at each change"),
        description=Text(
            "Server-sent events: peristiwa `board` membawa seluruh papan (`Board`), dengan `id` = `sequence`. Papan terbaru "
            "datang segera; yang terlewat tidak dikirim ulang. Komentar kosong datang paling lambat tiap 15 detik.",
            "Server-sent events: the event `board` carries the whole board (`Board`), with `id` = `sequence`. The newest "
            "board comes at once; a slow reader skips those in between. An empty comment comes at least every 15 seconds.",
        ),
        tag="boards",
        operation=live.board_stream,
        rpc=Rpc("ticketing", "get_site_day", GetSiteDay),
        media_type=EVENT_STREAM,
        problems=("site_unknown", "too_many_streams"),
    ),
)
