"""Examples of accounts, devices and signing in."""

from __future__ import annotations

from typing import Any

ACCOUNT: dict[str, Any] = {
    "id": "officer@lampung-timur",
    "role": "officer",
    "display_name": "Petugas Loket Dukcapil",
    "agencies": ["CPL"],
    "counters": ["sukadana-05", "sukadana-06"],
    "valid_from": None,
    "valid_until": "2026-12-31",
    "active": True,
    "version": 1,
}
SUPERVISOR: dict[str, Any] = {
    "id": "supervisor@lampung-timur",
    "role": "supervisor",
    "display_name": "Penyelia MPP Lampung Timur",
    "agencies": None,
    "counters": None,
    "valid_from": None,
    "valid_until": None,
    "active": True,
    "version": 2,
}
DEVICE: dict[str, Any] = {
    "id": "kiosk@oku-timur",
    "kind": "kiosk",
    "site": "martapura",
    "active": True,
    "version": 1,
}

REFRESH_TOKEN = "lampung-timur.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKl"  # noqa: S105 - opens nothing

PAGE_CREDENTIAL = "lampung-timur.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfG"

DEVICE_CODE = "q0Zr8yT3mXbV5nKc1LwPAGjkw2gAaBcDeFgHiJkLmNoPqRsTuVw"

ACCESS: dict[str, dict[str, Any]] = {
    "sign_in": {"username": "officer@lampung-timur", "password": "rahasia-loket-5"},
    "refresh_session": {"refresh_token": REFRESH_TOKEN},
    "sign_out": {"refresh_token": REFRESH_TOKEN, "everywhere": False},
    "begin_page_session": {"username": "officer@lampung-timur", "password": "rahasia-loket-5"},
    "renew_page_session": {"credential": PAGE_CREDENTIAL},
    "end_page_session": {"credential": PAGE_CREDENTIAL, "everywhere": False},
    "page_session_ended": {"ended": 1, "logout_url": None},
    "list_identity_providers": {},
    "identity_provider_list": {
        "items": [{"id": "sso-lampung-timur", "name": "Akun Pegawai Lampung Timur", "regencies": ["lampung-timur"]}]
    },
    "begin_provider_sign_in": {"provider": "sso-lampung-timur", "next": "/account"},
    "provider_sign_in_begun": {"url": "https://sso.lampungtimurkab.example/authorize?client_id=mpp", "flow": "gAAAAABkZmxvdw"},
    "finish_provider_sign_in": {
        "provider": "sso-lampung-timur",
        "flow": "gAAAAABkZmxvdw",
        "code": "SplxlOBeZQQYbYS6WxSbIA",
        "state": "af0ifjsldkj",
        "issuer": "https://sso.lampungtimurkab.example",
    },
    "provider_signed_in": {
        "credential": PAGE_CREDENTIAL,
        "access_token": "eyJhbGciOiJFZERTQSIsImtpZCI6IjVmM2IxYzJkIn0.eyJzdWIiOiJvZmZpY2VyQGxhbXB1bmctdGltdXIifQ.c2lnbmF0dXJl",
        "expires_in": 600,
        "ends_in": 43_200,
        "next": "/account",
    },
    "page_session": {
        "credential": PAGE_CREDENTIAL,
        "access_token": "eyJhbGciOiJFZERTQSIsImtpZCI6IjVmM2IxYzJkIn0.eyJzdWIiOiJvZmZpY2VyQGxhbXB1bmctdGltdXIifQ.c2lnbmF0dXJl",
        "expires_in": 600,
        "ends_in": 43_200,
    },
    "create_code": {"id": "officer@lampung-timur"},
    "one_time_code": {"id": "officer@lampung-timur", "code": "7Q4M-0ZKD-9XTB-H3VN", "expires_at": "2026-11-26T09:00:00+07:00"},
    "set_password": {"username": "officer@lampung-timur", "code": "7Q4M-0ZKD-9XTB-H3VN", "new_password": "kopi pagi di sukadana"},
    "begin_pairing": {},
    "pairing_begun": {"device_code": DEVICE_CODE, "user_code": "GRTB-ZXNK", "expires_in": 600, "interval": 3},
    "pair_device": {"id": "kiosk@oku-timur", "user_code": "GRTB-ZXNK"},
    "claim_pairing": {"device_code": DEVICE_CODE},
    "end_sessions": {"id": "officer@lampung-timur"},
    "sessions_ended": {"ended": 1},
    "session_tokens": {
        "access_token": "eyJhbGciOiJFZERTQSIsImtpZCI6IjVmM2IxYzJkIn0.eyJzdWIiOiJvZmZpY2VyQGxhbXB1bmctdGltdXIifQ.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": 600,
        "refresh_token": REFRESH_TOKEN,
        "refresh_expires_in": 43_200,
    },
    "get_token_state": {},
    "token_state": {
        "keys": [
            {
                "kid": "5f3b1c2d9e8a7b60",
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "alg": "EdDSA",
                "use": "sig",
            }
        ],
        "revocations": [{"subject": "officer@lampung-timur", "session": None, "version": 2}],
    },
    "create_account": {
        "id": "officer@lampung-timur",
        "role": "officer",
        "display_name": "Petugas Loket Dukcapil",
        "agencies": ["CPL"],
        "counters": ["sukadana-05", "sukadana-06"],
        "valid_until": "2026-12-31",
    },
    "update_account": {"id": "officer@lampung-timur", "if_match": 1, "agencies": ["CPL", "SOS"]},
    "get_account": {"id": "officer@lampung-timur"},
    "list_accounts": {"limit": 20},
    "account": ACCOUNT,
    "account_page": {"items": [ACCOUNT, SUPERVISOR], "next_cursor": None},
    "create_device": {
        "id": "kiosk@oku-timur",
        "kind": "kiosk",
        "site": "martapura",
    },
    "update_device": {"id": "kiosk@oku-timur", "if_match": 1, "active": False},
    "get_device": {"id": "kiosk@oku-timur"},
    "list_devices": {},
    "device": DEVICE,
    "device_page": {"items": [DEVICE], "next_cursor": None},
}
