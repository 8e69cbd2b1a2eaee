"""Examples of accounts, devices and signing in."""

from __future__ import annotations

from typing import Any

ACCOUNT: dict[str, Any] = {
    "id": "officer@lampung-timur",
    "role": "officer",
    "display_name": "Petugas Loket Dukcapil",
    "agencies": ["CPL"],
    "active": True,
    "version": 1,
}
SUPERVISOR: dict[str, Any] = {
    "id": "supervisor@lampung-timur",
    "role": "supervisor",
    "display_name": "Penyelia MPP Lampung Timur",
    "agencies": None,
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

ACCESS: dict[str, dict[str, Any]] = {
    "authenticate": {"username": "officer@lampung-timur", "password": "rahasia-loket-5"},
    "subject": {
        "subject": "officer@lampung-timur",
        "role": "officer",
        "regency": "lampung-timur",
        "agencies": ["CPL"],
        "site": None,
    },
    "create_account": {
        "id": "officer@lampung-timur",
        "role": "officer",
        "display_name": "Petugas Loket Dukcapil",
        "agencies": ["CPL"],
        "password": "rahasia-loket-5",
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
        "password": "rahasia-kios-1",
    },
    "update_device": {"id": "kiosk@oku-timur", "if_match": 1, "active": False},
    "get_device": {"id": "kiosk@oku-timur"},
    "list_devices": {},
    "device": DEVICE,
    "device_page": {"items": [DEVICE], "next_cursor": None},
}
