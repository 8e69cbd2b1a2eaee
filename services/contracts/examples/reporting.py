"""Examples of reporting: a morning at Sukadana, and what its visitors say."""

from __future__ import annotations

from typing import Any

from services.contracts.examples.ticketing import TICKET_ID, TOKEN

WAITS: dict[str, Any] = {"mean": 1164.207, "p50": 1021.5, "p90": 2318.64}
SERVES: dict[str, Any] = {"mean": 521.918, "p50": 474.03, "p90": 903.377}
NOTHING: dict[str, Any] = {"mean": None, "p50": None, "p90": None}

_COUNTS = ("issued", "waiting", "called", "serving", "on_hold", "completed", "no_show", "transferred", "cancelled", "expired")


NO_ERRORS: dict[str, Any] = {
    "compared": 0,
    "not_called": 0,
    "not_estimated": 0,
    "median_absolute_error_seconds": None,
    "bias_seconds": None,
    "above_ten_minutes": {
        "compared": 0,
        "median_absolute_error_seconds": None,
        "median_absolute_error_percent": None,
        "bias_seconds": None,
        "within_25_percent": None,
    },
}
ERRORS: dict[str, Any] = {
    "compared": 181,
    "not_called": 17,
    "not_estimated": 14,
    "median_absolute_error_seconds": 171.25,
    "bias_seconds": -38.402,
    "above_ten_minutes": {
        "compared": 122,
        "median_absolute_error_seconds": 214.5,
        "median_absolute_error_percent": 17.834,
        "bias_seconds": -61.77,
        "within_25_percent": 64.754,
    },
}
VISITS: dict[str, Any] = {
    "total": 197,
    "open": 18,
    "finished": 156,
    "broken_off": 3,
    "unserved": 20,
    "several_legs": 14,
    "legs": 213,
    "first_call_seconds": {"mean": 1148.31, "p50": 1009.872, "p90": 2290.118},
    "wait_seconds": {"mean": 1236.65, "p50": 1064.25, "p90": 2502.471},
    "serve_seconds": {"mean": 566.34, "p50": 491.2, "p90": 1033.808},
    "stay_seconds": {"mean": 1888.207, "p50": 1702.419, "p90": 3320.65},
}


def _figures(*counts: int, waits: dict[str, Any], serves: dict[str, Any], errors: dict[str, Any] = ERRORS) -> dict[str, Any]:
    return {
        **dict(zip(_COUNTS, counts, strict=True)),
        "wait_seconds": {**waits},
        "first_call_seconds": {**waits},
        "serve_seconds": {**serves},
        "estimates": errors,
    }


SCORES: dict[str, int] = {
    "requirements": 4,
    "procedure": 3,
    "time": 3,
    "cost": 4,
    "product": 4,
    "competence": 4,
    "behaviour": 4,
    "facilities": 3,
}
SURVEY: dict[str, Any] = {
    "id": "b7c2e0d4-9a51-4f3e-8d26-71f0a4c9e835",
    "ticket": TICKET_ID,
    "site": "sukadana",
    "agency": "CPL",
    "service": "CPL-KTP",
    "business_date": "2025-06-11",
    "submitted_at": "2025-06-11T08:41:07.250000+07:00",
    "scores": SCORES,
}


def _element(nrr: float, answers: int = 29) -> dict[str, Any]:
    return {"nrr": nrr, "answers": answers}


REPORTING: dict[str, dict[str, Any]] = {
    "daily_report": {"site": "sukadana", "date": "2025-06-11"},
    "daily_figures": {
        "site": "sukadana",
        "site_name": "MPP Lampung Timur",
        "date": "2025-06-11",
        "agency": None,
        "service": None,
        **_figures(212, 9, 2, 7, 0, 171, 15, 0, 8, 0, waits=WAITS, serves=SERVES),
        "visits": VISITS,
        "by_agency": [
            {"agency": "CPL", **_figures(209, 6, 2, 7, 0, 171, 15, 0, 8, 0, waits=WAITS, serves=SERVES)},
            {"agency": "POL", **_figures(3, 3, 0, 0, 0, 0, 0, 0, 0, 0, waits=NOTHING, serves=NOTHING, errors=NO_ERRORS)},
        ],
        "by_service": [
            {
                "agency": "CPL",
                "service": "CPL-KTP",
                **_figures(209, 6, 2, 7, 0, 171, 15, 0, 8, 0, waits=WAITS, serves=SERVES),
            },
            {
                "agency": "POL",
                "service": "POL-SKCK",
                **_figures(3, 3, 0, 0, 0, 0, 0, 0, 0, 0, waits=NOTHING, serves=NOTHING, errors=NO_ERRORS),
            },
        ],
        "by_lane": [
            {"lane": "regular", **_figures(203, 9, 2, 7, 0, 162, 15, 0, 8, 0, waits=WAITS, serves=SERVES)},
            {
                "lane": "priority",
                **_figures(
                    9, 0, 0, 0, 0, 9, 0, 0, 0, 0, waits={"mean": 214.2, "p50": 197.0, "p90": 402.1}, serves=SERVES, errors=NO_ERRORS
                ),
            },
        ],
    },
    "submit_survey": {"token": TOKEN, "scores": SCORES, "comment": "Petugas ramah dan cepat."},
    "survey": SURVEY,
    "survey.submitted": {"survey": SURVEY},
    "list_surveys": {"site": "sukadana", "since": "2025-06-01", "until": "2025-06-30", "limit": 20},
    "survey_page": {
        "items": [{**{name: value for name, value in SURVEY.items() if name != "ticket"}, "comment": "Petugas ramah dan cepat."}],
        "next_cursor": None,
    },
    "skm_report": {"since": "2025-04-01", "until": "2025-06-30", "site": "sukadana"},
    "skm_figures": {
        "from": "2025-04-01",
        "to": "2025-06-30",
        "site": "sukadana",
        "agency": None,
        "service": None,
        "respondents": 29,
        "elements": {
            "requirements": _element(3.6207),
            "procedure": _element(3.4828),
            "time": _element(3.4483),
            "cost": _element(4.0),
            "product": _element(3.5172),
            "competence": _element(3.6207),
            "behaviour": _element(3.6552),
            "complaint_handling": _element(3.9655),
            "facilities": _element(3.6207),
        },
        "unanswered": [],
        "index": 3.659,
        "ikm": 91.48,
        "grade": "A",
        "weight": "1/9",
        "highest_ikm": 100.0,
        "sample": {"population": 100, "required": 80, "reached": False},
    },
}
