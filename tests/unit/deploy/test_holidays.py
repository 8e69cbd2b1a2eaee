"""The national holidays that come along are those of an independent calendar."""

from datetime import date, timedelta

import pytest
from holidays.countries.indonesia import Indonesia

from deploy.seed import SeedError, documents, holidays, of_year, with_holidays, years
from services.contracts.catalog import RegencyDocument

pytestmark = pytest.mark.unit

CATEGORIES = {"national_holiday": "public", "joint_leave": "government"}
ESTIMATED = "(perkiraan)"


def days(entry):
    first, last = date.fromisoformat(entry["from"]), date.fromisoformat(entry["to"])
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@pytest.mark.parametrize("kind", CATEGORIES)
@pytest.mark.parametrize("year", years())
def test_every_day_is_a_holiday_and_every_holiday_is_there(year, kind):
    ours = [day for entry, _ in of_year(year) if entry["kind"] == kind for day in days(entry)]
    theirs = Indonesia(years=year, categories=CATEGORIES[kind])
    assert sorted(ours) == sorted(theirs)  # none twice either


@pytest.mark.parametrize("year", years())
def test_what_the_other_calendar_only_estimates_is_no_decree(year):
    theirs = Indonesia(years=year, categories=("public", "government"), language="id")
    for entry, basis in of_year(year):
        if entry["kind"] in CATEGORIES:
            assert (basis == "forecast") == (ESTIMATED in theirs[entry["from"]]), entry["id"]


@pytest.mark.parametrize("year", years())
def test_ramadan_ends_on_the_eve_of_eid_and_has_no_effect_until_the_regency_says_so(year):
    entries = {entry["kind"]: entry for entry, _ in of_year(year)}
    eid = next(entry for entry in holidays([year]) if entry["id"] == f"idulfitri-{year}")
    ramadan = entries["ramadan"]
    assert len(days(ramadan)) in (29, 30)
    assert days(ramadan)[-1] + timedelta(days=1) == days(eid)[0]
    assert not ramadan["active"]
    assert set(ramadan["hours"]) == {"monday", "tuesday", "wednesday", "thursday", "friday"}


def test_both_years_of_the_plan_come_along_under_ids_of_their_own():
    assert years() == [2026, 2027]
    ids = [entry["id"] for entry in holidays()]
    assert len(ids) == len(set(ids)) == 50


def test_they_make_a_whole_document_with_a_regency():
    document = documents()[0]
    own = {**holidays([2026])[0], "name": "Libur sendiri"}
    whole = with_holidays({**document, "hours": [own]})
    assert RegencyDocument().load(whole) == {**whole, "accounts": [], "devices": []}
    assert [entry["name"] for entry in whole["hours"] if entry["id"] == own["id"]] == ["Libur sendiri"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{id: a, name: A, kind: national_holiday, from: 2028-01-02, to: 2028-01-01, basis: decreed}", "days.0.to: "),
        ("{id: a, name: A, kind: feast, from: 2028-01-02, to: 2028-01-02, basis: decreed}", "days.0.kind: "),
        ("{id: a, name: A, kind: other, from: 2028-01-02, to: 2028-01-02, basis: rumour}", "days.0.basis: must be one of"),
        ("{id: a, name: A, kind: other, from: 2028-01-02, to: 2028-01-02}", "days.0.basis: is missing"),
    ],
)
def test_a_line_that_is_wrong_is_found_by_file_and_field(tmp_path, line, said):
    (tmp_path / "2028.yaml").write_text(f"days:\n  - {line}\n")
    with pytest.raises(SeedError, match=rf"^2028\.yaml: {said}"):
        of_year(2028, tmp_path)


def test_a_year_that_does_not_come_along_is_named():
    with pytest.raises(SeedError, match="no holidays of 1999"):
        holidays([1999])
