"""Routes of signing in: sessions, their tokens, and the keys that verify them."""

from __future__ import annotations

from marshmallow import Schema

from gateway import operations
from gateway.route import Route, Rpc, Text
from gateway.routes.schemas import KeySet
from services.contracts import catalog
from services.contracts.authorisation import PUBLIC

_TAG = "authentication"


def _session(
    path: str, operation_id: str, method: str, payload: type[Schema], answer: type[Schema], summary: Text, *problems: str
) -> Route:
    return Route(
        method="POST",
        path=f"/v1/auth/{path}",
        operation_id=operation_id,
        summary=summary,
        tag=_TAG,
        operation=operations.sign_in,
        rpc=Rpc("catalog", method, payload),
        answer=answer,
        problems=problems,
    )


AUTHENTICATION_ROUTES = (
    _session(
        "token",
        "issueAccessToken",
        "sign_in",
        catalog.SignIn,
        catalog.SessionTokens,
        Text("Masuk dengan nama pengguna dan kata sandi", "Sign in with user name and password"),
        "credentials_invalid",
    ),
    _session(
        "refresh",
        "refreshAccessToken",
        "refresh_session",
        catalog.RefreshSession,
        catalog.SessionTokens,
        Text("Memperbarui token; token penyegar hanya berlaku sekali", "Renew the tokens; a refresh token is good once"),
        "session_ended",
    ),
    _session(
        "sign-out",
        "signOut",
        "sign_out",
        catalog.SignOut,
        catalog.SessionsEnded,
        Text("Keluar, di sini atau di semua tempat", "Sign out, here or everywhere"),
        "session_ended",
    ),
    Route(
        method="GET",
        path="/.well-known/jwks.json",
        operation_id="getKeys",
        summary=Text("Kunci publik untuk memeriksa token akses (RFC 7517)", "Public keys that verify access tokens (RFC 7517)"),
        tag=_TAG,
        stated_rule=PUBLIC,
        operation=operations.keys,
        answer=KeySet,
        problems=("service_unavailable",),
    ),
    *(
        Route(
            method="POST",
            path=f"/v1/{{regency}}/{path}/{{id}}/sign-out",
            operation_id=operation_id,
            summary=summary,
            tag=path,
            operation=operations.ask_service,
            rpc=Rpc("catalog", "end_sessions", catalog.EndSessions),
            command=True,
            answer=catalog.SessionsEnded,
            problems=("account_unknown",),
        )
        for path, operation_id, summary in (
            ("accounts", "signOutAccount", Text("Mengakhiri semua sesi sebuah akun", "End all sessions of an account")),
            ("devices", "signOutDevice", Text("Mengakhiri semua sesi sebuah perangkat", "End all sessions of a device")),
        )
    ),
)
