"""Examples of reporting: a morning at Sukadana."""

from __future__ import annotations

from typing import Any

REPORTING: dict[str, dict[str, Any]] = {
    "daily_report": {"site": "sukadana", "date": "2025-06-11"},
    "daily_figures": {
        "site": "sukadana",
        "site_name": "MPP Lampung Timur",
        "date": "2025-06-11",
        "issued": 212,
        "waiting": 9,
        "called": 2,
        "serving": 7,
        "on_hold": 0,
        "completed": 171,
        "no_show": 15,
        "transferred": 0,
        "cancelled": 8,
        "expired": 0,
        "wait_seconds": {"mean": 1164.207, "p50": 1021.5, "p90": 2318.64},
        "serve_seconds": {"mean": 521.918, "p50": 474.03, "p90": 903.377},
    },
}
