"""Which values the fields of the domain take and refuse."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError, fields

from services.contracts import schema, values
from services.contracts.catalog import CreateCounter, CreateService, CreateSite, UpdateSite
from services.contracts.field_rules import errors_of, message
from services.contracts.schema import PayloadInvalid

pytestmark = pytest.mark.contract

TAKEN: list[tuple[fields.Field[Any], list[Any]]] = [
    (values.Slug(), ["sukadana", "bolaang-mongondow-utara", "mpp2", "a"]),
    (values.AgencyCode(), ["CPL", "BPN", "A1", "ABCDEFGH"]),
    (values.ServiceId(), ["BLP-9PD", "CPL-KK", "BLP-ST"]),
    (values.CounterId(), ["sukadana-05", "gunung-sugih-10", "mpp-2-105"]),
    (values.AccountId(), ["officer@lampung-timur", "operator@platform", "siti.aminah@oku-timur"]),
    (values.Prefix(), ["A", "AB"]),
    (values.TicketNumber(), ["A-012", "AB-1000"]),
    (values.TicketId(), ["0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f"]),
    (values.RegencyCode(), ["18.07", "71.08"]),
    (
        values.Timestamp(),
        ["2025-06-11T08:00:00+07:00", "2025-06-11T01:00:00Z", "2025-06-11T01:00:00.123456+00:00", "2024-02-29T00:00:00+09:00"],
    ),
    (values.BusinessDate(), ["2025-06-11", "2024-02-29"]),
    (values.PartialDate(), ["2022", "2023-02", "2023-11-24"]),
    (values.LocalTime(), ["00:00", "08:00", "23:59"]),
    (values.ClosingTime(), ["16:00", "24:00"]),
    (values.TimeZone(), ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "UTC", "America/Argentina/Ushuaia"]),
    (values.Opaque(), ["Q1BM", "a.b=~", "!"]),
    (schema.PlainText(10), ["Loket 5", "é", "<b>", "'--", "a b", "漢字"]),
    (schema.MultilineText(20), ["baris satu\nbaris dua"]),
    (schema.Password(), ["rahasia loket 5", "12345678"]),
    (schema.WholeNumber(0, 5), [0, 5]),
]

REFUSED: list[tuple[fields.Field[Any], str, list[Any]]] = [
    (values.Slug(), "slug", ["", "Sukadana", "-a", "a-", "a--b", "9a", "a_b", "á"]),
    (values.Slug(), "too_long", ["a" * 41]),
    (values.AgencyCode(), "agency_code", ["C", "cpl", "C-P", ""]),
    (values.ServiceId(), "service_id", ["CPL", "CPL-", "CPL-KTP-1", "cpl-ktp"]),
    (values.CounterId(), "counter_id", ["sukadana", "sukadana-5", "05", "sukadana-1000"]),
    (values.AccountId(), "account_id", ["officer", "@oku-timur", "a@b@c", "a b@oku-timur", "Officer@oku-timur"]),
    (values.TicketNumber(), "ticket_number", ["A-12", "A012", "a-012"]),
    (values.TicketId(), "uuid", ["0D9F4A52-6C1B-4E0E-9F38-5D7A1C2B3E4F", "0d9f4a526c1b4e0e9f385d7a1c2b3e4f", "1"]),
    (
        values.Timestamp(),
        "timestamp",
        [
            *("2025-06-11T08:00:00", "2025-06-11", "2025-06-11 08:00:00+07:00", "2025-02-30T08:00:00+07:00"),
            *("2025-06-11T24:00:00+07:00", "2025-06-11T08:00:60Z", "2025-06-11T08:00:00+25:00", "٢٠٢٥-06-11T08:00:00Z"),
            *("2025-06-11T08:00:00+23:25", "2025-06-11T08:00:00-16:00"),
            *("0001-01-01T00:00:00+07:00", "9999-12-31T23:59:59-07:00", "0000-01-01T00:00:00Z"),
        ],
    ),
    (values.BusinessDate(), "date", ["2025-02-29", "2025-13-01", "0000-01-01", "2025-W01-1", "20250611", "25-06-11"]),
    (values.PartialDate(), "partial_date", ["2023-13", "23", "2023-02-30", "0000", "2023-1"]),
    (values.LocalTime(), "local_time", ["24:00", "8:00", "08:60", "08.00", "08:00:00"]),
    (values.ClosingTime(), "local_time", ["24:01", "25:00"]),
    (values.TimeZone(), "timezone", ["Asia/Sukadana", "WIB", "../etc/passwd", "/Asia/Jakarta", "asia/jakarta", "Factory", "localtime"]),
    (values.Opaque(), "opaque", ["a b", "é"]),
    (schema.PlainText(10), "blank_start", [" ", " a", "\u00a0", "\u2003a"]),
    (schema.PlainText(10), "too_short", [""]),
    (schema.PlainText(10), "too_long", ["a" * 11]),
    (schema.MultilineText(20), "unreadable_characters", ["a\x00", "a\tb", "a\ud800"]),
    (schema.Password(), "too_short", ["1234567"]),
    (schema.WholeNumber(0, 5), "out_of_range", [-1, 6]),
    (schema.ListOf(values.Prefix(), most=3, unique=True), "repeated", [["A", "A"]]),
    (schema.ListOf(values.Prefix(), most=1), "too_many", [["A", "B"]]),
    (schema.ListOf(values.Prefix(), most=1, least=1), "too_few", [[]]),
    (schema.Choice("web", "kiosk"), "one_of", ["Web", "", "\x00", "\ud800"]),
]


def named(value: Any) -> str:
    """The same name in every process: a field's text holds addresses in memory."""
    return type(value).__name__ if isinstance(value, fields.Field) else str(value)


@pytest.mark.parametrize(("field", "good"), [(f, good) for f, all_good in TAKEN for good in all_good], ids=named)
def test_taken(field: fields.Field[Any], good: Any) -> None:
    assert field.deserialize(good) == good


@pytest.mark.parametrize(("field", "rule", "bad"), [(f, rule, bad) for f, rule, all_bad in REFUSED for bad in all_bad])
def test_refused(field: fields.Field[Any], rule: str, bad: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        field.deserialize(bad)
    assert [error["rule"] for error in errors_of(refused.value.messages)] == [rule]


def site(**differing: Any) -> dict[str, Any]:
    return {"id": "sukadana", "name": "MPP Lampung Timur", "timezone": "Asia/Jakarta", **differing}


@pytest.mark.parametrize(
    ("friday", "field", "rule"),
    [
        ([("08:00", "08:00")], "hours.friday.0.close", "closes_before_opening"),
        ([("13:30", "16:00"), ("08:00", "11:30")], "hours.friday", "overlapping_hours"),
        ([("08:00", "11:30"), ("11:00", "16:00")], "hours.friday", "overlapping_hours"),
    ],
)
def test_opening_hours_are_in_order(friday: list[tuple[str, str]], field: str, rule: str) -> None:
    hours = {"friday": [{"open": opens, "close": closes} for opens, closes in friday]}
    with pytest.raises(PayloadInvalid) as refused:
        CreateSite().load(site(hours=hours))
    assert [(error["field"], error["rule"]) for error in refused.value.details["errors"]] == [(field, rule)]


def test_an_update_holds_only_what_it_changes() -> None:
    assert UpdateSite().load({"id": "sukadana", "accepting": False}) == {"id": "sukadana", "accepting": False}


def test_defaults_are_not_shared_between_payloads() -> None:
    first = CreateSite().load(site())
    first["channels"].append("web")
    first["policy"]["max_recalls"] = 9
    second = CreateSite().load(site())
    assert second["channels"] == ["kiosk", "front_desk"]
    assert second["policy"]["max_recalls"] == 3


def test_ids_follow_from_their_parts() -> None:
    assert CreateService().load({"agency": "CPL", "code": "KTP", "name": "KTP-el"})["id"] == "CPL-KTP"
    counter = CreateCounter().load({"site": "sukadana", "number": 5})
    assert (counter["id"], counter["name"]) == ("sukadana-05", "Loket 5")
    with pytest.raises(PayloadInvalid):
        CreateService().load({"id": "SOS-KTP", "agency": "CPL", "code": "KTP", "name": "KTP-el"})
    with pytest.raises(PayloadInvalid):
        CreateCounter().load({"id": "sukadana-06", "site": "sukadana", "number": 5})


def test_messages_come_in_the_language_of_the_reader() -> None:
    with pytest.raises(PayloadInvalid) as refused:
        CreateSite().load(site(name="a" * 201))
    (error,) = refused.value.details["errors"]
    assert message(error, "id") == "Paling banyak 200 karakter."
    assert message(error, "en") == "Must have at most 200 characters." == error["message"]
    assert message({"rule": "of_a_newer_service", "message": "No."}, "id") == "No."
