"""Routes of signing in: sessions, their tokens, and the keys that verify them."""

from __future__ import annotations

from marshmallow import Schema

from gateway import operations
from gateway.route import Route, Rpc, Text
from gateway.routes.schemas import KeySet
from services.contracts import catalog
from services.contracts.authorisation import PUBLIC

_TAG = "authentication"

_PROOF = ("credentials_invalid", "sign_in_delayed", "account_not_valid")


def _session(
    path: str,
    operation_id: str,
    method: str,
    payload: type[Schema],
    answer: type[Schema],
    summary: Text,
    *problems: str,
    counted: bool = True,
) -> Route:
    return Route(
        method="POST",
        path=f"/v1/auth/{path}",
        operation_id=operation_id,
        summary=summary,
        tag=_TAG,
        # A device that waits asks every few seconds; its code is beyond guessing.
        operation=operations.sign_in if counted else operations.ask_service,
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
        *_PROOF,
    ),
    _session(
        "password",
        "setPassword",
        "set_password",
        catalog.SetPassword,
        catalog.SessionTokens,
        Text(
            "Mengganti kata sandi sendiri, dengan yang sekarang atau dengan kode sekali pakai",
            "Set one's own password, with the present one or a one-time code",
        ),
        *_PROOF,
    ),
    _session(
        "pairing",
        "beginPairing",
        "begin_pairing",
        catalog.BeginPairing,
        catalog.PairingBegun,
        Text("Memulai pemasangan perangkat (RFC 8628)", "Begin to pair a device (RFC 8628)"),
    ),
    _session(
        "pairing/token",
        "claimPairing",
        "claim_pairing",
        catalog.ClaimPairing,
        catalog.SessionTokens,
        Text("Menanyakan apakah perangkat sudah dipasangkan", "Ask whether the device was paired"),
        "pairing_pending",
        "pairing_expired",
        counted=False,
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
        path="/v1/auth/oidc",
        operation_id="listIdentityProviders",
        summary=Text("Penyedia akun untuk masuk (OpenID Connect)", "Identity providers to sign in with (OpenID Connect)"),
        description=Text(
            "Peramban memulai di `/sign-in/{id}` dan kembali dengan sesi halaman (cookie).",
            "A browser begins at `/sign-in/{id}` and comes back with a page session (cookie).",
        ),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("catalog", "list_identity_providers", catalog.ListIdentityProviders),
        answer=catalog.IdentityProviderList,
        digested=True,
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
    Route(
        method="POST",
        path="/v1/{regency}/accounts/{id}/code",
        operation_id="createCode",
        summary=Text("Membuat kode sekali pakai untuk kata sandi sebuah akun", "Make a one-time code for the password of an account"),
        description=Text(
            "Undangan bagi akun baru, atau pengganti kata sandi yang terlupa: pemilik akun menetapkan kata sandinya sendiri lewat"
            " `POST /v1/auth/password`. Kode ditampilkan sekali dan berlaku 72 jam; kode sebelumnya gugur.",
            "An invitation for a new account, or help for who forgot: the owner of the account sets the password with"
            " `POST /v1/auth/password`. The code is told once and is good for 72 hours; an earlier one is void.",
        ),
        tag="accounts",
        operation=operations.ask_service,
        rpc=Rpc("catalog", "create_code", catalog.CreateCode),
        command=True,
        answer=catalog.OneTimeCode,
        problems=("account_unknown",),
    ),
    Route(
        method="POST",
        path="/v1/{regency}/devices/{id}/pair",
        operation_id="pairDevice",
        summary=Text("Memasangkan perangkat dengan kode di layarnya", "Pair a device with the code on its screen"),
        tag="devices",
        operation=operations.ask_service,
        rpc=Rpc("catalog", "pair_device", catalog.PairDevice),
        command=True,
        answer=catalog.Device,
        problems=("device_unknown",),
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
