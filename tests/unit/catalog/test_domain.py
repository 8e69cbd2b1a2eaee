"""Rules of the catalogue between fields and between entities."""

import pytest

from services.catalog import domain
from services.catalog.domain import CatalogError

pytestmark = pytest.mark.unit


def refusal(call, *arguments):
    with pytest.raises(CatalogError) as caught:
        call(*arguments)
    return caught.value


def broken_rule(error):
    assert error.code == "payload_invalid"
    [first] = error.details["errors"]
    return first["field"], first["rule"]


def agency(*presences, id="CPL"):
    return {"id": id, "name": "Dukcapil", "kind": "regency", "presences": [{"site": s, "prefix": p} for s, p in presences]}


def counter(**changes):
    return {"id": "sukadana-05", "site": "sukadana", "number": 5, "agency": "CPL", "services": ["CPL-KTP"], **changes}


class TestSite:
    def test_that_enforces_hours_needs_some(self):
        error = refusal(domain.check_site, {"enforce_hours": True, "hours": {"monday": []}})
        assert broken_rule(error) == ("enforce_hours", "enforced_hours_missing")

    def test_without_hours_may_be_open_at_any_time(self):
        domain.check_site({"enforce_hours": False, "hours": {}})

    def test_with_hours_may_enforce_them(self):
        domain.check_site({"enforce_hours": True, "hours": {"monday": [{"open": "08:00", "close": "16:00"}]}})


class TestAgency:
    def test_has_a_prefix_of_its_own_at_each_site(self):
        taken = {("sukadana", "A"): "POL", ("way-jepara", "E"): "KES"}
        domain.check_agency(agency(("sukadana", "E"), ("way-jepara", "A")), taken, {})

    def test_cannot_take_the_prefix_of_another_agency(self):
        error = refusal(domain.check_agency, agency(("sukadana", "A")), {("sukadana", "A"): "POL"}, {})
        assert (error.code, error.details) == ("prefix_taken", {"site": "sukadana", "prefix": "A", "agency": "POL"})

    def test_keeps_the_prefix_that_it_has(self):
        domain.check_agency(agency(("sukadana", "E")), {("sukadana", "E"): "CPL"}, {})

    def test_stands_once_at_a_site(self):
        error = refusal(domain.check_agency, agency(("sukadana", "A"), ("sukadana", "B")), {}, {})
        assert broken_rule(error) == ("presences.1.site", "presence_repeated")

    def test_stays_where_counters_serve_it(self):
        error = refusal(domain.check_agency, agency(), {}, {"sukadana": ["sukadana-06", "sukadana-05"]})
        assert error.code == "in_use"
        assert error.details["users"] == ["sukadana-05", "sukadana-06"]


class TestCounter:
    def test_serves_services_of_its_agency(self):
        domain.check_counter(counter(), {"CPL"}, {"CPL-KTP": "CPL"})

    def test_belongs_to_an_agency_that_is_present(self):
        error = refusal(domain.check_counter, counter(), {"POL"}, {"CPL-KTP": "CPL"})
        assert broken_rule(error) == ("agency", "agency_absent")

    def test_of_an_agency_serves_no_other(self):
        offered = {"CPL-KTP": "CPL", "POL-PMC": "POL"}
        error = refusal(domain.check_counter, counter(services=["CPL-KTP", "POL-PMC"]), {"CPL", "POL"}, offered)
        assert broken_rule(error) == ("services.1", "service_of_other_agency")

    def test_that_is_shared_serves_every_agency_of_the_site(self):
        offered = {"CPL-KTP": "CPL", "POL-PMC": "POL"}
        domain.check_counter(counter(agency=None, services=list(offered)), {"CPL", "POL"}, offered)

    def test_that_is_shared_serves_no_absent_agency(self):
        error = refusal(domain.check_counter, counter(agency=None), {"POL"}, {"CPL-KTP": "CPL"})
        assert broken_rule(error) == ("services.0", "agency_absent")

    def test_serves_services_that_exist(self):
        error = refusal(domain.check_counter, counter(services=["CPL-KTP", "CPL-XX"]), {"CPL"}, {"CPL-KTP": "CPL"})
        assert error.code == "reference_unknown"
        assert error.details["missing"] == ["CPL-XX"]


class TestVersion:
    def test_of_the_caller_must_be_the_current_one(self):
        error = refusal(domain.check_version, {"id": "sukadana", "version": 3}, 2)
        assert (error.code, error.details["current_version"]) == ("version_conflict", 3)

    @pytest.mark.parametrize("seen", [None, 3])
    def test_is_compared_only_when_the_caller_gives_one(self, seen):
        domain.check_version({"id": "sukadana", "version": 3}, seen)


class TestUsername:
    @pytest.mark.parametrize(
        ("username", "regency"),
        [
            ("officer@lampung-timur", "lampung-timur"),
            ("operator@platform", "platform"),
            ("officer", None),
            ("@lampung-timur", None),
            ("officer@", None),
            ("a@b@lampung-timur", None),
            ("", None),
        ],
    )
    def test_names_the_regency_behind_its_only_at_sign(self, username, regency):
        assert domain.regency_of(username) == regency

    def test_belongs_to_the_regency_that_adds_it(self):
        error = refusal(domain.check_username, "officer@lampung-tengah", "lampung-timur")
        assert broken_rule(error) == ("id", "username_of_another_regency")


class TestPassword:
    @pytest.mark.parametrize(
        ("password", "rule"),
        [
            ("demo", "too_short"),
            ("1234567", "too_short"),
            ("Frontdesk", "password_is_username"),
            ("frontdesk@Oku-Timur", "password_is_username"),
        ],
    )
    def test_that_is_easy_to_guess_is_refused(self, password, rule):
        assert broken_rule(refusal(domain.check_password, password, "frontdesk@oku-timur")) == ("password", rule)

    def test_of_eight_characters_will_do(self):
        domain.check_password("kopi-pagi"[:8], "frontdesk@oku-timur")


def test_the_order_of_a_set_makes_no_difference():
    assert domain.canonical("counter", counter(services=["B", "A"])) == domain.canonical("counter", counter(services=["A", "B"]))
    two, other = agency(("b", "A"), ("a", "B")), agency(("a", "B"), ("b", "A"))
    assert domain.canonical("agency", two) == domain.canonical("agency", other)
