"""Every name in PostgreSQL and on the broker follows from the slug, and only a slug becomes one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import tenancy
from services.chassis.errors import DomainError

pytestmark = pytest.mark.unit

SLUGS = st.from_regex(r"\A[a-z][a-z0-9]{0,7}(-[a-z0-9]{1,7}){0,3}\Z")
POSTGRESQL_NAME_BYTES = 63


def test_names_of_a_regency():
    assert tenancy.schema_of("lampung-timur") == "lampung_timur"
    assert tenancy.role_of("ticketing", "lampung-timur") == "ticketing_lampung_timur"
    assert tenancy.group_of("ticketing") == "ticketing_regencies"
    assert tenancy.stream_of("ticketing", "lampung-timur", None) == "/regencies/lampung-timur/ticketing"
    assert tenancy.stream_of("ticketing", "lampung-timur", "sukadana") == "/regencies/lampung-timur/ticketing/sites/sukadana"
    assert tenancy.routing_key("lampung-timur", "ticket.called") == "lampung-timur.ticket.called"


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "Lampung",
        "lampung_timur",
        "lampung timur",
        "-lampung",
        "lampung-",
        "lampung--timur",
        "1lampung",
        'x"; DROP SCHEMA platform CASCADE; --',
        "x', true), set_config('role', 'mpp_admin",
        "lampung\n",
        "lampung\x00",
        "lampung.timur",
        "../platform",
        "*",
        "#",
        "lämpung",
        "ａｂｃ",
        "a" * 41,
    ],
)
def test_what_is_no_slug_becomes_no_name(hostile):
    for name in (tenancy.checked_slug, tenancy.schema_of, lambda slug: tenancy.role_of("ticketing", slug)):
        with pytest.raises(DomainError, match="regency_unknown"):
            name(hostile)


@pytest.mark.parametrize("reserved", ["platform", "public", "regencies", "auth", "information-schema", "pg-catalog", "pg-toast", "pg-new"])
def test_words_with_another_meaning_name_no_regency(reserved):
    with pytest.raises(DomainError, match="regency_unknown"):
        tenancy.checked_slug(reserved)


def test_the_longest_slug_fits_into_the_longest_name():
    longest = "a" * tenancy.MAX_SLUG_LENGTH
    assert len(tenancy.role_of("notification", longest)) <= POSTGRESQL_NAME_BYTES


@given(SLUGS, SLUGS)
def test_two_regencies_never_share_a_name(one, other):
    if one != other and {one, other}.isdisjoint(tenancy.RESERVED_SLUGS) and not (one + other).count("pg-"):
        assert tenancy.schema_of(one) != tenancy.schema_of(other)
        assert tenancy.role_of("catalog", one) != tenancy.role_of("catalog", other)
        assert tenancy.role_of("catalog", one) != tenancy.group_of("catalog")
