"""Numbers: unique and gapless per site, prefix and local date, under any load."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from services.chassis.context import CallContext
from services.contracts import ticketing as contracts
from services.ticketing import usecases
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import CITIZEN, MORNING, Mall, SkewedClock, code_of, refusal, together

pytestmark = pytest.mark.integration


class Crash(Exception):
    """Something that a program does not expect."""


def numbers(tickets):
    return [ticket["number"] for ticket in tickets]


class TestUnderLoad:
    def test_300_taken_by_16_at_a_time_are_unique_and_gapless_though_some_fail(self, open_database, regency):
        """The replicas' clocks differ by seconds; turns follow the numbers all the same."""
        clock = SkewedClock(MORNING)
        database = open_database(clock)
        mall = Mall(database, clock, regency)
        [service] = mall.agency("CPL", "A", "KTP")
        data = contracts.IssueTicket().load({"site": mall.site, "service": service, "channel": "web"})

        def take_one(crashes: bool) -> str:
            with database.regency_work(mall.regency, context=CallContext(mall.regency)) as work:
                number: str = usecases.issue_ticket(work, data)["number"]
                if crashes:
                    raise Crash
            return number

        def take_many(thread: int) -> list[str]:
            taken = []
            for attempt in range(19):
                if (attempt + thread) % 3 == 0:
                    with pytest.raises(Crash):
                        take_one(crashes=True)
                taken.append(take_one(crashes=False))
            return taken

        answered = [number for taken in together(16, take_many) for number in taken]
        assert sorted(answered) == [f"A-{number:03d}" for number in range(1, len(answered) + 1)]
        assert len(answered) == 16 * 19
        in_turn = mall.tickets()
        assert numbers(in_turn) == sorted(answered)
        assert all(before["arrived_at"] < after["arrived_at"] for before, after in pairwise(in_turn))
        check_books(mall)

    def test_prefixes_count_on_their_own(self, new_mall):
        mall = new_mall()
        services = [mall.agency(f"AG{letter}", letter, "INF")[0] for letter in "ABC"]
        taken = together(12, lambda number: mall.take(services[number % 3])["number"])
        assert sorted(taken) == [f"{letter}-{number:03d}" for letter in "ABC" for number in range(1, 5)]
        check_books(mall)

    def test_services_of_an_agency_share_its_numbers(self, mall):
        assert numbers([mall.take(mall.ktp), mall.take(mall.kk), mall.take(mall.ktp)]) == ["A-001", "A-002", "A-003"]

    def test_sites_count_on_their_own(self, mall, new_mall):
        other = new_mall()
        mall.agency("CPL", "A", "KTP", sites=(other.site,))
        assert numbers([mall.take(mall.ktp), other.take(mall.ktp), other.take(mall.ktp)]) == ["A-001", "A-001", "A-002"]

    def test_the_same_request_repeated_by_eight_takes_one_number(self, mall):
        issued = together(8, lambda _: mall.take(mall.ktp, command_id="once-and-only-once-0001"))
        assert all(answer == issued[0] for answer in issued)
        assert numbers(mall.tickets()) == ["A-001"]

    def test_the_first_of_many_opens_the_day_once(self, mall):
        together(8, lambda _: mall.take(mall.ktp))
        opening, *others = [event.type for event in mall.events()]
        assert opening == "queue.day_opened"
        assert set(others) == {"ticket.issued"}


class TestNewDay:
    @pytest.mark.parametrize(("zone", "midnight_utc"), [("Asia/Jakarta", 17), ("Asia/Makassar", 16), ("Asia/Jayapura", 15)])
    def test_numbers_restart_at_local_midnight(self, new_mall, clock, zone, midnight_utc):
        mall = new_mall(timezone=zone)
        [service] = mall.agency("CPL", "A", "KTP")
        midnight = datetime(2026, 3, 11, midnight_utc, tzinfo=UTC)
        clock.instant = midnight - timedelta(microseconds=1)
        before = [mall.take(service), mall.take(service)]
        clock.instant = midnight
        after = mall.take(service)
        assert [(ticket["number"], ticket["business_date"]) for ticket in [*before, after]] == [
            ("A-001", "2026-03-11"),
            ("A-002", "2026-03-11"),
            ("A-001", "2026-03-12"),
        ]

    @pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
    def test_numbers_go_on_at_midnight_of_utc(self, new_mall, clock, zone):
        mall = new_mall(timezone=zone)
        [service] = mall.agency("CPL", "A", "KTP")
        clock.instant = datetime(2026, 3, 11, 23, 59, 59, tzinfo=UTC)
        early = mall.take(service)
        clock.pass_by(seconds=2)
        assert numbers([early, mall.take(service)]) == ["A-001", "A-002"]

    def test_sites_of_three_zones_have_each_their_own_date(self, new_mall, clock):
        clock.instant = datetime(2026, 12, 31, 15, 30, tzinfo=UTC)
        malls = [new_mall(timezone=zone) for zone in ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")]
        services = [mall.agency(f"Z{number}", "A", "INF")[0] for number, mall in enumerate(malls)]
        taken = [mall.take(service) for mall, service in zip(malls, services, strict=True)]
        assert [ticket["business_date"] for ticket in taken] == ["2026-12-31", "2026-12-31", "2027-01-01"]

    def test_who_asked_before_midnight_may_get_a_number_of_that_day_after_it(self, mall, open_database, clock):
        """Two replicas, one of them a second behind: the days' numbers do not mix."""
        clock.instant = datetime(2026, 3, 11, 16, 59, 59, 500_000, tzinfo=UTC)
        ahead = SkewedClock(clock.instant)
        ahead.now = lambda: clock.instant + timedelta(seconds=1)  # type: ignore[method-assign]
        other = Mall(open_database(ahead), ahead, mall.regency, id=mall.site)
        order = [mall, other, mall, other, other, mall]
        taken = [replica.take(mall.ktp) for replica in order]
        assert [(ticket["business_date"][-2:], ticket["number"]) for ticket in taken] == [
            ("11", "A-001"),
            ("12", "A-001"),
            ("11", "A-002"),
            ("12", "A-002"),
            ("12", "A-003"),
            ("11", "A-003"),
        ]
        check_books(mall)

    def test_a_corrected_time_zone_moves_the_end_of_the_day(self, mall, clock):
        mall.take(mall.ktp)
        mall.open_site(timezone="Asia/Makassar")
        mall.take(mall.ktp)
        with mall.database.regency_work(mall.regency) as work:
            closes_at = work.execute(sa.text("SELECT closes_at FROM queue_day WHERE site = :site"), {"site": mall.site}).scalar_one()
        assert closes_at == datetime(2026, 3, 11, 16, 0, tzinfo=UTC)


class TestRefusals:
    def test_of_what_is_not_known(self, mall):
        assert refusal(mall.take, mall.ktp, site="nowhere") == ("site_unknown", {"site": "nowhere"})
        assert refusal(mall.take, "CPL-XYZ") == ("service_unknown", {"service": "CPL-XYZ"})
        mall.service("NEW", "INF")
        assert refusal(mall.take, "NEW-INF") == ("agency_unknown", {"agency": "NEW"})

    def test_of_an_agency_that_is_not_at_the_site(self, mall, new_mall):
        assert refusal(new_mall().take, mall.ktp)[0] == "service_not_offered"

    def test_of_a_service_out_of_use(self, mall):
        mall.service("CPL", "KTP", active=False)
        assert refusal(mall.take, mall.ktp) == ("service_inactive", {"service": mall.ktp})

    def test_of_a_site_that_does_not_accept(self, mall):
        mall.open_site(accepting=False)
        assert refusal(mall.take, mall.ktp) == ("site_not_accepting", {"site": mall.site})

    def test_outside_the_hours_that_are_enforced(self, mall, clock):
        hours = {"wednesday": [{"open": "08:00", "close": "16:00"}]}
        mall.open_site(enforce_hours=True, hours=hours)
        mall.take(mall.ktp)
        clock.pass_by(hours=8)
        opens_at = "2026-03-18T08:00:00+07:00"
        assert refusal(mall.take, mall.ktp) == ("site_closed", {"site": mall.site, "reason": "weekly", "opens_at": opens_at})

    def test_of_channels_that_are_not_the_sites_or_the_callers(self, mall):
        mall.take(mall.ktp, actor=CITIZEN, channel="web")
        assert refusal(mall.take, mall.ktp, actor=CITIZEN, channel="kiosk")[0] == "channel_not_allowed"
        mall.open_site(channels=["kiosk", "front_desk"])
        assert refusal(mall.take, mall.ktp, actor=CITIZEN, channel="web")[0] == "channel_not_allowed"
        assert mall.take(mall.ktp, actor=mall.actor("kiosk"), channel="kiosk")["channel"] == "kiosk"

    def test_of_a_kiosk_that_stands_at_another_site(self, mall):
        kiosk = mall.actor("kiosk")
        assert mall.take(mall.ktp, actor=replace(kiosk, site=mall.site), channel="kiosk")["site"] == mall.site
        code, details = refusal(mall.take, mall.ktp, actor=replace(kiosk, site="elsewhere"), channel="kiosk")
        assert (code, details["device_site"]) == ("channel_not_allowed", "elsewhere")

    def test_of_an_officer_who_issues_for_another_agency(self, mall):
        assert refusal(mall.take, mall.ktp, actor=mall.actor("officer", "SOS")) == ("agency_forbidden", {"agency": "CPL"})
        assert mall.take(mall.ktp, actor=mall.actor("officer", "CPL"))["number"] == "A-001"

    def test_take_no_number(self, mall):
        mall.take(mall.ktp)
        mall.open_site(accepting=False)
        together(8, lambda _: mall.take(mall.ktp))
        mall.open_site(accepting=True)
        assert mall.take(mall.ktp)["number"] == "A-002"

    def test_once_the_day_is_closed(self, mall, clock, open_database):
        """A replica whose clock is behind meets a day that another one has closed."""
        mall.take(mall.ktp)
        ahead = SkewedClock(clock.instant)
        ahead.now = lambda: clock.instant + timedelta(days=1)  # type: ignore[method-assign]
        with open_database(ahead).regency_work(mall.regency) as work:
            usecases.close_due_day(work, mall.site, datetime(2026, 3, 11, tzinfo=UTC).date())
        assert refusal(mall.take, mall.ktp) == ("day_closed", {"business_date": "2026-03-11"})
        assert [code_of(outcome) for outcome in together(4, lambda _: mall.take(mall.ktp))] == ["day_closed"] * 4
        check_books(mall)
