"""Routes of pages for people. They are no part of the API, and so not in its document."""

from __future__ import annotations

from gateway.pages import documentation, operations, signing_in, signing_in_elsewhere
from gateway.route import DEPRECATION_POLICY, Route, Text
from services.contracts.authorisation import PUBLIC, SIGNED_IN, Rule


def _page(
    path: str,
    operation_id: str,
    operation: operations.Operation,
    summary: Text,
    *,
    part: bool = False,
    method: str = "GET",
    rule: Rule = PUBLIC,
) -> Route:
    return Route(
        method=method,
        path=path,
        operation_id=operation_id,
        summary=summary,
        tag="pages",
        stated_rule=rule,
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
    _page("/sign-in", "showSignIn", signing_in.show, Text("Masuk", "Sign in")),
    _page("/sign-in", "signInOnPage", signing_in.sign_in, Text("Masuk", "Sign in"), method="POST"),
    _page(
        "/sign-in/{provider}",
        "beginProviderSignIn",
        signing_in_elsewhere.begin,
        Text("Masuk dengan penyedia akun", "Sign in with an identity provider"),
    ),
    _page(
        "/sign-in/{provider}/callback",
        "finishProviderSignIn",
        signing_in_elsewhere.finish,
        Text("Kembali dari penyedia akun", "Back from an identity provider"),
    ),
    _page("/account", "showAccount", signing_in.account, Text("Akun saya", "My account"), rule=SIGNED_IN),
    _page("/sign-out", "signOutOnPage", signing_in.sign_out, Text("Keluar", "Sign out"), method="POST", rule=SIGNED_IN),
    _page(
        "/sign-out/everywhere",
        "signOutEverywhere",
        signing_in.sign_out_everywhere,
        Text("Keluar di semua tempat", "Sign out everywhere"),
        method="POST",
        rule=SIGNED_IN,
    ),
    _page("/docs", "showDocumentation", documentation.reference, Text("Dokumentasi API", "The API's documentation")),
    _page(DEPRECATION_POLICY, "showDeprecationPolicy", documentation.deprecation, Text("Penghentian rute", "How routes go away")),
    _page("/problems", "listProblems", documentation.problems, Text("Semua kode kesalahan", "All problem codes")),
    _page("/problems/{code}", "showProblem", documentation.one_problem, Text("Satu kode kesalahan", "One problem code")),
    _page("/static/{name}", "getStatic", operations.static_file, Text("Bagian halaman", "Parts of pages"), part=True),
)
