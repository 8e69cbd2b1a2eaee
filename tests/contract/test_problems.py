"""Every problem has a valid status and says in both languages what is wrong and, where it can, what to do."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from services.contracts.problems import ENGLISH, INDONESIAN, LOCALES, PROBLEMS, field_errors, problem

pytestmark = pytest.mark.contract

every_code = pytest.mark.parametrize("code", PROBLEMS)


ROOT = Path(__file__).parents[2]
REFUSALS = {"DomainError", "CatalogError", "QueueRefusal", "Refusal", "RefusedRequest"}
"""What takes a code as its first argument; others name theirs as ``code=``."""


def codes_raised() -> dict[str, set[str]]:
    """Every code that something in services and gateway refuses with, and where."""
    found: dict[str, set[str]] = {}
    for path in [*ROOT.glob("services/**/*.py"), *ROOT.glob("gateway/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                first = node.args[:1] if _name(node.func) in REFUSALS else []
                given = [*first, *(keyword.value for keyword in node.keywords if keyword.arg == "code")]
                for code in (leaf.value for value in given for leaf in _outcomes(value) if isinstance(leaf, ast.Constant)):
                    if isinstance(code, str) and re.fullmatch("[a-z]+(_[a-z]+)+|busy|unexpected", code):
                        found.setdefault(code, set()).add(path.name)
    return found


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def _outcomes(value: ast.expr) -> list[ast.expr]:
    return [*_outcomes(value.body), *_outcomes(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def test_every_code_that_anything_refuses_with_has_its_entry() -> None:
    raised = codes_raised()
    assert len(raised) > 50
    assert {code: files for code, files in raised.items() if code not in PROBLEMS} == {}


def test_no_entry_is_for_a_code_that_nothing_refuses_with() -> None:
    sources = "\n".join(
        path.read_text() for folder in ("services", "gateway") for path in (ROOT / folder).glob("**/*.py") if "problems" not in path.parts
    )
    unused = {code for code in PROBLEMS if f'"{code}"' not in sources and not code.endswith("_unknown")}
    assert unused == set()


def placeholders(template: str | None) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template or "") if name}


@every_code
def test_every_problem_has_a_code_a_status_and_both_languages(code: str) -> None:
    found = PROBLEMS[code]
    assert re.fullmatch("[a-z]+(_[a-z]+)*", code)
    assert 400 <= found.status <= 599
    assert found.title_id
    assert found.title_en
    assert found.title_id != found.title_en
    assert not placeholders(found.title_id) | placeholders(found.title_en), "a title is the same for every occurrence (RFC 9457)"
    assert not found.title_id.endswith(".")
    assert not found.title_en.endswith(".")
    assert found.detail_id
    assert found.detail_en
    assert placeholders(found.detail_id) == placeholders(found.detail_en)


@every_code
def test_a_detail_that_lacks_what_it_names_is_left_out(code: str) -> None:
    found = PROBLEMS[code]
    for locale in LOCALES:
        template = found.detail_id if locale == INDONESIAN else found.detail_en
        expected = None if placeholders(template) else template
        assert found.detail(locale, {}) == expected


def test_a_detail_names_what_stands_in_the_way() -> None:
    details = {"status": "completed", "allowed": ["called", "serving"]}
    conflict = problem("ticket_state_conflict")
    assert conflict.detail(ENGLISH, details) == "It is completed now; this can be done when it is: called, serving."
    assert conflict.detail(INDONESIAN, details) == "Statusnya sekarang completed; tindakan ini berlaku untuk: called, serving."
    assert conflict.title(INDONESIAN) == "Status nomor antrean tidak memungkinkan ini"


def test_who_comes_in_vain_reads_why_and_when_to_come_again() -> None:
    details = {"name": "Idulfitri 1447 Hijriah", "opens_at": "2026-03-25T08:00:00+08:00", "reason": "national_holiday"}
    closed = problem("site_closed")
    assert closed.detail(INDONESIAN, details) == "Tutup: Idulfitri 1447 Hijriah. Buka kembali Rabu, 25 Maret 2026 pukul 08.00 WITA."
    assert closed.detail(ENGLISH, details) == "Closed: Idulfitri 1447 Hijriah. It opens on Wednesday, 25 March 2026 at 08:00 WITA."
    assert closed.detail(ENGLISH, {"opens_at": "2026-03-25T13:30:00+07:00"}) == "It opens on Wednesday, 25 March 2026 at 13:30 WIB."
    assert closed.detail(INDONESIAN, {"name": "Banjir"}) == "Tutup: Banjir. Jam buka berikutnya belum ditetapkan."
    assert closed.detail(INDONESIAN, {}) == "Ambil nomor pada jam buka; lihat jam buka MPP."
    agency = {**details, "agency_name": "Dinas Dukcapil"}
    assert str(problem("agency_closed").detail(ENGLISH, agency)).startswith("Dinas Dukcapil is closed: Idulfitri 1447 Hijriah. It serves")
    assert problem("site_closed").detail(ENGLISH, {"opens_at": "soon"}) == "It opens on soon."


@every_code
def test_fuller_details_name_the_same_in_both_languages(code: str) -> None:
    for indonesian, english in PROBLEMS[code].fuller:
        assert placeholders(indonesian) == placeholders(english) != set()


def test_indonesian_is_spoken_to_who_asks_for_neither() -> None:
    assert problem("site_closed").title("fr") == PROBLEMS["site_closed"].title_id


def test_a_code_of_a_newer_service_is_an_unexpected_problem() -> None:
    assert problem("of_a_newer_service").status == 500


def test_field_errors_are_told_in_the_language_of_the_reader() -> None:
    details = {"errors": [{"field": "site", "rule": "required", "parameters": {}, "message": "This field is required."}]}
    assert field_errors(details, "id") == [{"field": "site", "rule": "required", "message": "Wajib diisi."}]
    assert field_errors({}, "id") == []


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (400, "json_malformed header_invalid idempotency_key_invalid"),
        (401, "credentials_invalid token_missing token_invalid"),
        (403, "role_forbidden regency_forbidden agency_forbidden channel_not_allowed ticket_token_invalid"),
        (404, "path_unknown regency_unknown site_unknown agency_unknown service_unknown counter_unknown ticket_unknown"),
        (405, "method_not_allowed"),
        (406, "not_acceptable"),
        (409, "site_not_accepting site_closed agency_closed service_not_offered counter_busy ticket_state_conflict recall_limit_reached"),
        (412, "version_conflict"),
        (413, "body_too_large"),
        (414, "uri_too_long"),
        (415, "media_type_unsupported"),
        (422, "payload_invalid parameter_invalid idempotency_key_reused reference_unknown"),
        (429, "rate_limited"),
        (431, "headers_too_large"),
        (500, "unexpected"),
        (503, "deadline_exceeded service_unavailable busy"),
    ],
)
def test_codes_keep_their_status(status: int, codes: str) -> None:
    for code in codes.split():
        assert PROBLEMS[code].status == status
