"""What many operations share: problem documents, headers, security schemes."""

from __future__ import annotations

from typing import Any, Final

from gateway.preconditions import IDEMPOTENCY_REPLAYED, TICKET_TOKEN
from gateway.route import Text

ACCESS_TOKEN_SCHEME: Final = "accessToken"  # noqa: S105 - a name in the document
TICKET_TOKEN_SCHEME: Final = "ticketToken"  # noqa: S105 - a name in the document

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    ACCESS_TOKEN_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": Text(
            "Token petugas, perangkat atau operator dari `POST /v1/auth/token`.",
            "Token of staff, a device or an operator, from `POST /v1/auth/token`.",
        ),
    },
    TICKET_TOKEN_SCHEME: {
        "type": "apiKey",
        "in": "header",
        "name": TICKET_TOKEN,
        "description": Text("Token yang diterima warga saat mengambil nomor.", "The token that the citizen got with the number."),
    },
}

_TEXT = {"type": "string"}

HEADERS: dict[str, dict[str, Any]] = {
    "Request-Id": {
        "schema": _TEXT,
        "description": Text(
            "Nomor permintaan ini dalam catatan sistem; yang dikirim pemanggil dipakai bila berbentuk wajar.",
            "Names this request in the logs; a caller's own is used when it is well formed.",
        ),
    },
    "traceparent": {"schema": _TEXT, "description": Text("W3C Trace Context", "W3C Trace Context")},
    "ETag": {
        "schema": _TEXT,
        "description": Text("Versi objek, untuk `If-Match`.", "Version of the object, for `If-Match`."),
    },
    "Location": {"schema": _TEXT, "description": Text("Alamat objek baru.", "Address of the new object.")},
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 1},
        "description": Text("Coba lagi setelah sekian detik.", "Try again after so many seconds."),
    },
    IDEMPOTENCY_REPLAYED: {
        "schema": {"type": "string", "const": "true"},
        "description": Text(
            "Ada bila jawaban ini milik permintaan sebelumnya dengan `Idempotency-Key` yang sama: tidak ada yang dilakukan lagi.",
            "Present when the answer is that of an earlier request with the same `Idempotency-Key`: nothing was done again.",
        ),
    },
    "RateLimit-Policy": {
        "schema": _TEXT,
        "description": Text(
            'Batas yang berlaku bagi pemanggil tanpa token, misalnya `"anonymous";q=600;w=60`: 600 permintaan dalam 60 detik.',
            'Limits that hold for callers without a token, such as `"anonymous";q=600;w=60`: 600 requests in 60 seconds.',
        ),
    },
    "RateLimit": {
        "schema": _TEXT,
        "description": Text(
            'Berapa yang tersisa (`r`) dan berapa detik lagi batasnya mulai baru (`t`), misalnya `"anonymous";r=598;t=43`.',
            'How many are left (`r`), and in how many seconds the limit begins anew (`t`), such as `"anonymous";r=598;t=43`.',
        ),
    },
    "Cache-Control": {
        "schema": _TEXT,
        "description": Text(
            "`no-store`: jangan disimpan; `no-cache`: boleh disimpan, tanyakan dahulu dengan `If-None-Match`.",
            "`no-store`: keep nothing; `no-cache`: keep it, and ask with `If-None-Match` before using it.",
        ),
    },
    "Content-Language": {"schema": _TEXT, "description": Text("`id` atau `en`.", "`id` or `en`.")},
    "Deprecation": {
        "schema": _TEXT,
        "description": Text("Sejak kapan usang (RFC 9745).", "Since when deprecated (RFC 9745)."),
    },
    "Sunset": {
        "schema": _TEXT,
        "description": Text("Sejak kapan boleh hilang (RFC 8594).", "From when on it may be gone (RFC 8594)."),
    },
    "Link": {
        "schema": _TEXT,
        "description": Text("Kebijakan penghentian dan pengganti rute ini.", "The policy of deprecation, and what replaces the route."),
    },
    "WWW-Authenticate": {"schema": _TEXT, "description": Text("Cara masuk.", "How to sign in.")},
}

ALWAYS_SENT: Final = ("Request-Id", "traceparent", "Cache-Control")

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A problem document (RFC 9457). Further members depend on the code.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "description": "`/problems/` and the code."},
        "title": {"type": "string", "description": "What is wrong, in the caller's language."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What to do next, in the caller's language."},
        "code": {"type": "string", "pattern": "^[a-z][a-z_]*$", "description": "Stable; for programs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Such as `hours.monday.0.open`; empty: as a whole."},
                    "rule": {"type": "string", "description": "The broken rule; for programs."},
                    "message": {"type": "string", "description": "In the caller's language."},
                },
            },
        },
    },
}


def header_references(*names: str) -> dict[str, Any]:
    """Return references to headers of an answer, those that every answer has included."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*ALWAYS_SENT, *names)}
