"""Examples of the catalogue."""

from __future__ import annotations

from typing import Any

LAMPUNG_TIMUR: dict[str, Any] = {
    "id": "lampung-timur",
    "code": "18.07",
    "name": "Kabupaten Lampung Timur",
    "province": "Lampung",
    "timezone": "Asia/Jakarta",
    "capital": "Sukadana",
}
KUTAI_TIMUR: dict[str, Any] = {
    "id": "kutai-timur",
    "code": "64.08",
    "name": "Kabupaten Kutai Timur",
    "province": "Kalimantan Timur",
    "timezone": "Asia/Makassar",
    "capital": "Sangatta",
}
WORKING_HOURS: dict[str, Any] = {
    **{day: [{"open": "08:00", "close": "16:00"}] for day in ("monday", "tuesday", "wednesday", "thursday")},
    "friday": [{"open": "08:00", "close": "11:30"}, {"open": "13:30", "close": "16:00"}],
}
SUKADANA_UNVERSIONED: dict[str, Any] = {
    "id": "sukadana",
    "name": "MPP Lampung Timur",
    "address": "Islamic Center, Sukadana",
    "timezone": "Asia/Jakarta",
    "stage": "inaugurated",
    "accepting": True,
    "enforce_hours": False,
    "channels": ["kiosk", "web", "front_desk"],
    "hours": WORKING_HOURS,
    "policy": {
        "call_while_serving": False,
        "max_recalls": 3,
        "recall_gap_seconds": 15,
        "undo_call_seconds": 60,
        "regular_per_priority": 3,
        "ageing_cap_minutes": 90,
        "max_rejoins": 1,
        "one_ticket_per_person": True,
        "personal_data_days": 30,
    },
    "milestones": [
        {"stage": "soft_opening", "date": "2024-12-27", "planned": False},
        {"stage": "trial", "date": "2025-01", "planned": True},
        {"stage": "inaugurated", "date": "2025-06-11", "planned": False},
    ],
    "agreements": [{"kind": "MoU", "signed": "2024-12-27"}, {"kind": "PKS", "signed": "2024-12-27"}],
}
SUKADANA: dict[str, Any] = {**SUKADANA_UNVERSIONED, "version": 3}
DUKCAPIL_UNVERSIONED: dict[str, Any] = {
    "id": "CPL",
    "name": "Dinas Kependudukan dan Pencatatan Sipil",
    "kind": "regency",
    "presences": [{"site": "sukadana", "prefix": "E", "hours": None}],
}
DUKCAPIL: dict[str, Any] = {**DUKCAPIL_UNVERSIONED, "version": 1}
KTP_UNVERSIONED: dict[str, Any] = {
    "id": "CPL-KTP",
    "agency": "CPL",
    "code": "KTP",
    "name": "Kartu Tanda Elektronik (KTP-el)",
    "requirements": ["Kartu Keluarga (KK)", "Akta kelahiran", "Pas foto"],
    "prerequisites": [],
    "default": False,
    "promised_minutes": None,
    "active": True,
}
KTP: dict[str, Any] = {**KTP_UNVERSIONED, "version": 1}
HUB_INFORMATION: dict[str, Any] = {
    "id": "HUB-INF",
    "agency": "HUB",
    "code": "INF",
    "name": "Informasi dan Konsultasi",
    "requirements": [],
    "prerequisites": ["CPL-KTP"],
    "default": True,
    "promised_minutes": 15,
    "active": True,
    "version": 1,
}
COUNTER_5_UNVERSIONED: dict[str, Any] = {
    "id": "sukadana-05",
    "site": "sukadana",
    "number": 5,
    "name": "Loket 5",
    "agency": "CPL",
    "services": ["CPL-KK", "CPL-KTP", "CPL-IKD", "CPL-KIA"],
    "active": True,
}
COUNTER_5: dict[str, Any] = {**COUNTER_5_UNVERSIONED, "version": 1}
SHARED_COUNTER: dict[str, Any] = {
    "id": "martapura-01",
    "site": "martapura",
    "number": 1,
    "name": "Loket 1",
    "agency": None,
    "services": ["PTS-IZN", "CPL-ADM", "KES-LKS", "DIK-LPD"],
    "active": True,
    "version": 1,
}
EID_UNVERSIONED: dict[str, Any] = {
    "id": "idulfitri-2026",
    "name": "Idulfitri 1447 Hijriah",
    "kind": "national_holiday",
    "from": "2026-03-21",
    "to": "2026-03-22",
    "site": None,
    "agency": None,
    "hours": {},
    "active": True,
}
EID: dict[str, Any] = {**EID_UNVERSIONED, "version": 1}

CATALOG: dict[str, dict[str, Any]] = {
    "list_regencies": {},
    "regency_list": {"items": [KUTAI_TIMUR, LAMPUNG_TIMUR]},
    "get_regency": {"regency": "lampung-timur"},
    "regency": LAMPUNG_TIMUR,
    "list_sites": {"limit": 50},
    "get_site": {"id": "sukadana"},
    "site": SUKADANA,
    "site_page": {"items": [SUKADANA], "next_cursor": None},
    "create_site": {
        "id": "sangatta",
        "name": "MPP Kutai Timur",
        "timezone": "Asia/Makassar",
        "milestones": [{"stage": "planned", "date": "2023-11-24"}],
        "agreements": [{"kind": "MoU", "signed": "2023-11-24"}],
    },
    "update_site": {"id": "sukadana", "if_match": 2, "accepting": True, "channels": ["kiosk", "web", "front_desk"]},
    "list_agencies": {"site": "sukadana", "limit": 10},
    "get_agency": {"id": "CPL"},
    "agency": DUKCAPIL,
    "agency_page": {"items": [DUKCAPIL], "next_cursor": "Q1BM"},
    "create_agency": {
        "id": "BRJ",
        "name": "Bank Rajasa",
        "kind": "enterprise",
        "presences": [{"site": "gunung-sugih", "prefix": "H", "hours": {"tuesday": [{"open": "09:00", "close": "12:00"}]}}],
    },
    "update_agency": {"id": "CPL", "if_match": 1, "name": "Dinas Dukcapil"},
    "list_services": {"site": "sukadana", "search": "kartu"},
    "get_service": {"id": "CPL-KTP"},
    "public_service": KTP,
    "service_page": {"items": [KTP, HUB_INFORMATION], "next_cursor": None},
    "create_service": {
        "agency": "PTS",
        "code": "IZP",
        "name": "Perizinan Perusahaan",
        "requirements": ["Kartu Identitas (KTP)", "Nomor Induk Berusaha (NIB)"],
        "promised_minutes": 30,
    },
    "update_service": {"id": "HUB-INF", "active": False},
    "list_counters": {"site": "sukadana"},
    "get_counter": {"id": "sukadana-05"},
    "counter": COUNTER_5,
    "counter_page": {"items": [SHARED_COUNTER, COUNTER_5], "next_cursor": None},
    "create_counter": {"site": "boroko", "number": 11, "name": "Gerai UMKM", "agency": "UMK", "services": ["UMK-INF"]},
    "update_counter": {"id": "sukadana-05", "if_match": 1, "services": ["CPL-KK", "CPL-KTP"]},
    "list_hours": {"since": "2026-03-01", "until": "2026-03-31", "site": "sukadana"},
    "get_hours": {"id": "idulfitri-2026"},
    "special_hours": EID,
    "hours_page": {"items": [EID], "next_cursor": None},
    "create_hours": {
        "id": "listrik-padam-2026-06-03",
        "name": "Listrik padam",
        "kind": "closure",
        "from": "2026-06-03",
        "to": "2026-06-03",
        "site": "sukadana",
    },
    "update_hours": {"id": "listrik-padam-2026-06-03", "if_match": 1, "active": False},
    "load_regency": {
        "document": {
            "regency": LAMPUNG_TIMUR,
            "sites": [SUKADANA_UNVERSIONED],
            "agencies": [DUKCAPIL_UNVERSIONED],
            "services": [KTP_UNVERSIONED],
            "counters": [{**COUNTER_5_UNVERSIONED, "services": ["CPL-KTP"]}],
            "hours": [EID_UNVERSIONED],
        }
    },
    "regency_loaded": {"created": 76, "updated": 0, "unchanged": 0},
    "catalog.regency_changed": {"regency": {**LAMPUNG_TIMUR, "version": 1}},
    "catalog.site_changed": {"site": SUKADANA},
    "catalog.agency_changed": {"agency": DUKCAPIL},
    "catalog.service_changed": {"service": KTP},
    "catalog.counter_changed": {"counter": COUNTER_5},
    "catalog.hours_changed": {"hours": EID},
    "catalog.hours_snapshot": {"hours": EID},
    "catalog.regency_snapshot": {"regency": {**LAMPUNG_TIMUR, "version": 1}},
    "catalog.site_snapshot": {"site": SUKADANA},
    "catalog.agency_snapshot": {"agency": DUKCAPIL},
    "catalog.service_snapshot": {"service": KTP},
    "catalog.counter_snapshot": {"counter": COUNTER_5},
}
