"""Boards begin when somebody asks, follow events, notice what they missed, say when they cannot know, and are forgotten."""

import json

import pytest

from gateway.board.boards import Boards
from gateway.board.reconciliation import COMPARE_SECONDS, SECONDS_PER_COMPARISON
from gateway.board.streams import HEARTBEAT, Stream, StreamLimits
from gateway.board.watched_sites import IDLE_SECONDS
from gateway.problems import Refusal
from services.chassis.errors import BrokerUnavailable, DomainError, Unavailable
from services.chassis.resuming import LEAP
from services.chassis.tenancy import stream_of
from services.contracts.authorisation import rule_of
from tests.platform.boards import recomputed, reduced
from tests.unit.gateway.board.day import COUNTERS, REGENCY, SITE, Day

pytestmark = pytest.mark.unit

NOON = 1_773_205_200.0
"""2026-03-11 05:00 UTC, noon at the site."""

KEY = f"{REGENCY}.ticket.any"


class Ticketing:
    """Answers from a made-up day, or fails; refuses whom the real one refuses."""

    def __init__(self, day):
        self.day = day
        self.asked = []
        self.failure = None
        self.heads = []

    def call(self, service, method, payload, context):
        self.asked.append(method)
        if not rule_of(service, method).admits(context.actor.role, shows_ticket_token=False):
            raise DomainError("role_forbidden")
        if self.failure is not None:
            raise self.failure
        if method == "get_site_day":
            return self.day.snapshot()
        if method == "stream_heads":
            return self.heads
        if method == "get_site_heads":
            told = {name: self.day.facts[name] for name in ("turns", "working") if name in self.day.facts}
            return [{"site": site, "sequence": self.day.sequence, "paces": self.day.paces, **told} for site in payload["sites"]]
        return {**self.day.tickets[payload["id"]], "position": 1, "estimated_wait_seconds": 0}


class Feed:
    def __init__(self):
        self.wanted = set()

    def want(self, regency, timeout):
        self.wanted.add(regency)

    def drop(self, regency):
        self.wanted.discard(regency)


class Gateway:
    """Boards whose time the test lets pass; what they would do in threads is done at once."""

    def __init__(self, monkeypatch, **limits):
        self.day = Day()
        self.ticketing, self.feed = Ticketing(self.day), Feed()
        self.seconds = 1000.0
        self.limits = StreamLimits(limits.get("most", 10), limits.get("per_client", 5))
        self.boards = Boards(self.ticketing, self.limits, monotonic=lambda: self.seconds, clock=lambda: NOON + self.seconds - 1000)
        self.boards._watched.feed = self.feed
        self.boards.on_connected()
        monkeypatch.setattr(self.boards._reconciler, "_spawn", lambda run, *arguments: run(*arguments))

    def board(self):
        return json.loads(self.boards.board(REGENCY, SITE, 1.0).body)

    def deliver(self, *indices, day=None):
        for index in indices or range(self.day.sequence):
            self.boards.on_event(KEY, (day or self.day).body(index))

    def pass_by(self, seconds):
        self.seconds += seconds
        self.boards.look()
        self.boards.show_changed()


@pytest.fixture
def gateway(monkeypatch):
    return Gateway(monkeypatch)


class TestWatching:
    def test_the_first_who_asks_has_the_regency_bound_and_a_snapshot_taken(self, gateway):
        gateway.day.take()
        board = gateway.board()
        assert gateway.feed.wanted == {REGENCY}
        assert gateway.ticketing.asked == ["get_site_day"]
        assert (board["sequence"], board["live"]) == (1, True)
        gateway.board()
        assert gateway.ticketing.asked == ["get_site_day"]

    def test_an_unknown_site_is_refused_and_not_remembered(self, gateway):
        gateway.ticketing.failure = DomainError("site_unknown", site=SITE)
        with pytest.raises(DomainError, match="site_unknown"):
            gateway.board()
        assert gateway.feed.wanted == set()
        gateway.ticketing.failure = None
        assert gateway.board()["live"]

    def test_without_ticketing_there_is_no_first_board(self, gateway):
        gateway.ticketing.failure = BrokerUnavailable("away")
        with pytest.raises(Unavailable):
            gateway.board()

    def test_what_nobody_asks_for_any_more_is_forgotten(self, gateway):
        gateway.board()
        gateway.seconds += IDLE_SECONDS + 1
        gateway.boards.forget()
        assert gateway.feed.wanted == set()
        assert not gateway.boards._watched

    def test_what_is_streamed_is_not_forgotten(self, gateway):
        stream = gateway.boards.board_stream(REGENCY, SITE, "192.0.2.1", 1.0)
        gateway.seconds += IDLE_SECONDS + 1
        gateway.boards.forget()
        assert gateway.feed.wanted == {REGENCY}
        stream.close()
        gateway.boards.forget()
        assert gateway.feed.wanted == set()


class TestFollowing:
    def test_events_change_the_board(self, gateway):
        gateway.board()
        gateway.day.step(gateway.day.take(), "call")
        gateway.deliver()
        gateway.pass_by(0.1)
        assert reduced(gateway.board()) == recomputed(gateway.day.of_today())

    def test_a_burst_makes_one_board(self, gateway):
        gateway.board()
        stream = gateway.boards.board_stream(REGENCY, SITE, "192.0.2.1", 1.0)
        next(stream)
        for _ in range(20):
            gateway.day.take()
        gateway.deliver()
        gateway.pass_by(0.1)
        assert b"id: 20\nevent: board\n" in next(stream)
        gateway.boards.end_streams()
        assert list(stream) == []

    def test_events_of_other_sites_cost_nothing_and_broken_ones_do_no_harm(self, gateway):
        board = gateway.board()
        gateway.day.take()
        gateway.boards.on_event(KEY, gateway.day.body(0).replace(b"sites/sukadana", b"sites/elsewhere"))
        gateway.boards.on_event(KEY, gateway.day.body(0)[:-5])
        gateway.boards.on_event(KEY, b"\xff\xfe")
        gateway.boards.on_event(f"{REGENCY}.catalog.site_changed", b"no JSON")
        gateway.pass_by(0.1)
        assert gateway.board() == board

    def test_a_hole_is_filled_by_a_snapshot(self, gateway):
        gateway.board()
        ticket = gateway.day.take()
        gateway.day.step(ticket, "call")
        gateway.deliver(1)
        gateway.pass_by(0.1)
        assert gateway.board()["sequence"] == 0
        gateway.pass_by(0.5)
        gateway.pass_by(0.1)
        assert gateway.board()["sequence"] == 2
        assert reduced(gateway.board()) == recomputed(gateway.day.of_today())

    def test_a_quiet_loss_is_noticed_within_seconds(self, gateway):
        gateway.board()
        gateway.day.take()  # its event never comes
        gateway.pass_by(COMPARE_SECONDS)
        gateway.pass_by(1.1)
        gateway.pass_by(0.1)
        assert gateway.board()["sequence"] == 1

    def test_an_event_on_its_way_needs_no_snapshot(self, gateway):
        gateway.board()
        gateway.day.take()
        gateway.pass_by(COMPARE_SECONDS)
        gateway.deliver()
        gateway.pass_by(1.1)
        assert gateway.ticketing.asked.count("get_site_day") == 1
        assert gateway.board()["sequence"] == 1

    def test_a_new_connection_begins_anew(self, gateway):
        gateway.board()
        gateway.day.take()
        gateway.boards.on_lost()
        gateway.boards.on_connected()
        gateway.pass_by(0.1)
        gateway.pass_by(0.1)
        assert gateway.board()["sequence"] == 1

    def test_a_restored_database_is_believed(self, gateway):
        gateway.day.take()
        assert gateway.board()["sequence"] == 1
        gateway.ticketing.day = Day()
        gateway.pass_by(COMPARE_SECONDS)
        gateway.pass_by(0.1)
        gateway.pass_by(0.1)
        assert gateway.board()["sequence"] == 0

    def test_midnight_begins_an_empty_board(self, gateway):
        gateway.day.take()
        gateway.board()
        gateway.day.snapshot = lambda: Day.snapshot(gateway.day, "2026-03-12")
        gateway.pass_by(12 * 3600)
        gateway.pass_by(0.1)
        board = gateway.board()
        assert (board["business_date"], reduced(board)["services"]) == ("2026-03-12", {})

    def test_a_change_of_the_catalogue_is_shown_even_when_ticketing_hears_of_it_later(self, gateway):
        gateway.board()
        counter = {"id": COUNTERS[0], "site": SITE, "version": 2}
        gateway.boards.on_event(f"{REGENCY}.catalog.counter_changed", json.dumps({"data": {"counter": counter}}).encode())
        gateway.pass_by(0.2)
        assert gateway.board()["counters"][0]["name"] == "Loket 1"
        gateway.day.names[COUNTERS[0]], gateway.day.versions[COUNTERS[0]] = "Loket Ramah", 2
        gateway.pass_by(1.0)
        gateway.pass_by(0.1)
        assert gateway.board()["counters"][0]["name"] == "Loket Ramah"
        asked = len(gateway.ticketing.asked)
        gateway.pass_by(1.0)
        assert len(gateway.ticketing.asked) == asked

    def test_another_sites_counter_is_none_of_its_business(self, gateway):
        gateway.board()
        counter = {"id": "elsewhere-01", "site": "elsewhere", "version": 2}
        gateway.boards.on_event(f"{REGENCY}.catalog.counter_changed", json.dumps({"data": {"counter": counter}}).encode())
        gateway.pass_by(0.5)
        assert gateway.ticketing.asked.count("get_site_day") == 1

    def test_a_new_pace_changes_the_estimates(self, gateway):
        for _ in range(3):
            gateway.day.take()
        assert gateway.board()["services"][2]["estimated_wait_seconds"] == 300
        gateway.day.paces = [{"service": "CPL-KTP", "mean_seconds": 600.0}]
        gateway.pass_by(COMPARE_SECONDS)
        gateway.pass_by(0.1)
        assert gateway.board()["services"][2]["estimated_wait_seconds"] == 600

    def test_waits_are_told_anew_each_minute(self, gateway):
        gateway.day.facts["working"] = [{"opens_at": "2026-03-11T12:30:00+07:00", "closes_at": "2026-03-11T15:00:00+07:00"}]
        gateway.day.take()
        told = []
        for _ in range(6):
            told.append(gateway.board()["services"][2]["estimated_wait_seconds"])
            gateway.pass_by(20)
            gateway.pass_by(0.1)
        assert told == [1800, 1800, 1800, 1740, 1740, 1740]

    def test_changed_hours_are_asked_for(self, gateway):
        gateway.day.take()
        assert gateway.board()["services"][2]["estimated_wait_seconds"] == 0
        gateway.day.facts["working"] = [{"opens_at": "2026-03-11T12:10:00+07:00", "closes_at": "2026-03-11T15:00:00+07:00"}]
        gateway.boards.on_event(f"{REGENCY}.catalog.hours_changed", json.dumps({"data": {"hours": {"id": "x", "version": 1}}}).encode())
        gateway.pass_by(0.2)
        gateway.pass_by(0.1)
        assert gateway.board()["services"][2]["estimated_wait_seconds"] == 600


class TestHundredsOfRegencies:
    REGENCIES = tuple(f"r{number:03d}" for number in range(200))

    @pytest.fixture
    def gateway(self, monkeypatch):
        gateway = Gateway(monkeypatch)
        gateway.day.take()
        sources = {each: stream_of("ticketing", each, SITE) for each in self.REGENCIES}
        gateway.ticketing.heads = [{"source": source, "regency": each, "sequence": 1} for each, source in sources.items()]
        for each in self.REGENCIES:
            gateway.boards.board(each, SITE, 1.0)
        return gateway

    def live(self, gateway):
        return tuple(each for each in self.REGENCIES if gateway.boards.board(each, SITE, 1.0).live)

    def test_all_stay_live_although_each_is_compared_only_now_and_then(self, gateway):
        for _ in range(60):
            gateway.pass_by(1.0)
            assert self.live(gateway) == self.REGENCIES
        seconds_of_a_round = SECONDS_PER_COMPARISON * len(self.REGENCIES)
        assert gateway.ticketing.asked.count("get_site_heads") <= len(self.REGENCIES) * (60 / seconds_of_a_round + 1)
        assert gateway.ticketing.asked.count("get_site_day") == len(self.REGENCIES)

    def test_silence_of_ticketing_is_said_on_all(self, gateway):
        gateway.ticketing.failure = Unavailable("away")
        for _ in range(14):
            gateway.pass_by(1.0)
        assert self.live(gateway) == ()

    def test_one_whose_database_is_away_is_not_told_live(self, gateway):
        del gateway.ticketing.heads[7]
        answer = gateway.ticketing.call

        def call(service, method, payload, context):
            silent = method == "get_site_heads" and context.regency == self.REGENCIES[7]
            return [] if silent else answer(service, method, payload, context)

        gateway.ticketing.call = call
        for _ in range(14):
            gateway.pass_by(1.0)
        assert set(self.REGENCIES) - set(self.live(gateway)) == {self.REGENCIES[7]}

    def test_a_published_event_that_does_not_come_is_fetched(self, gateway):
        gateway.day.take()
        gateway.ticketing.heads[7]["sequence"] = 2
        answer = gateway.ticketing.call
        gateway.ticketing.call = lambda service, method, *rest: [] if method == "get_site_heads" else answer(service, method, *rest)
        for _ in range(8):
            gateway.pass_by(1.0)
        assert gateway.ticketing.asked.count("get_site_day") == len(self.REGENCIES) + 1
        assert json.loads(gateway.boards.board(self.REGENCIES[7], SITE, 1.0).body)["sequence"] == 2


class TestOutage:
    def test_a_lost_broker_is_said_after_a_moment_with_the_time_of_the_last_truth(self, gateway):
        before = gateway.board()
        gateway.boards.on_lost()
        gateway.pass_by(0.5)
        assert gateway.board()["live"]
        gateway.ticketing.failure = Unavailable("away")
        gateway.pass_by(1.0)
        gateway.pass_by(60.0)
        board = gateway.board()
        assert not board["live"]
        assert board["as_of"] == "2026-03-11T05:00:00.500+00:00"  # ticketing confirmed it then
        assert {**board, "live": True, "as_of": before["as_of"]} == before

    def test_silence_of_ticketing_is_said_and_healed(self, gateway):
        gateway.board()
        gateway.ticketing.failure = Unavailable("away")
        for _ in range(14):
            gateway.pass_by(1.0)
        assert not gateway.board()["live"]
        gateway.ticketing.failure = None
        for _ in range(6):
            gateway.pass_by(1.0)
        assert gateway.board()["live"]

    def test_a_snapshot_that_fails_is_tried_again(self, gateway):
        gateway.board()
        gateway.day.take()
        gateway.ticketing.failure = Unavailable("away")
        gateway.boards.on_connected()
        gateway.pass_by(0.1)
        gateway.ticketing.failure = None
        gateway.pass_by(0.3)
        gateway.pass_by(0.1)
        assert gateway.board()["sequence"] == 1


class TestTickets:
    TOKEN = "mY3vJ0pQ8sTz2wLr5bKc1A"

    def answer(self, gateway, ticket):
        return {**gateway.day.tickets[ticket], "position": 1, "estimated_wait_seconds": 0}

    @pytest.mark.parametrize("leap", [LEAP, -3])
    def test_after_a_restore_followers_ask_ticketing_again(self, gateway, leap):
        ticket = gateway.day.take()
        gateway.day.step(ticket, "call")
        gateway.day.step(ticket, "start")
        gateway.boards.follow(REGENCY, self.answer(gateway, ticket), self.TOKEN, 1.0)
        stream = gateway.boards.ticket_stream(REGENCY, self.answer(gateway, ticket), self.TOKEN, "a phone", 1.0)
        assert b"serving" in next(stream)
        before = Day()
        before.take()
        answer = before.snapshot()
        gateway.ticketing.call = lambda service, method, *_: (
            {**answer, "sequence": 3 + leap}
            if method == "get_site_day"
            else [{"site": SITE, "sequence": 3 + leap, "paces": gateway.day.paces}]
        )
        for _ in range(3):
            gateway.pass_by(COMPARE_SECONDS)
        assert gateway.board()["sequence"] == 3 + leap
        assert gateway.boards.ticket(REGENCY, ticket, self.TOKEN, 1) is None
        with pytest.raises(StopIteration):
            next(stream)

    def test_is_told_to_who_showed_the_token_only(self, gateway):
        ticket = gateway.day.take()
        gateway.boards.follow(REGENCY, self.answer(gateway, ticket), self.TOKEN, 1.0)
        known = gateway.boards.ticket(REGENCY, ticket, self.TOKEN, 1)
        assert known is not None
        assert (known["position"], known["estimated_wait_seconds"]) == (1, 0)
        assert gateway.boards.ticket(REGENCY, ticket, self.TOKEN + "x", 1) is None
        assert gateway.boards.ticket("oku-timur", ticket, self.TOKEN, 1) is None

    def test_is_not_told_to_who_knows_more(self, gateway):
        ticket = gateway.day.take()
        gateway.boards.follow(REGENCY, self.answer(gateway, ticket), self.TOKEN, 1.0)
        assert gateway.boards.ticket(REGENCY, ticket, self.TOKEN, 2) is None

    def test_is_not_told_while_nobody_knows(self, gateway):
        ticket = gateway.day.take()
        gateway.boards.follow(REGENCY, self.answer(gateway, ticket), self.TOKEN, 1.0)
        gateway.boards.on_lost()
        gateway.seconds += 2
        assert gateway.boards.ticket(REGENCY, ticket, self.TOKEN, 1) is None

    def test_moves_up_on_the_stream_when_others_are_called_and_ends_with_its_last_state(self, gateway):
        first, second = gateway.day.take(), gateway.day.take()
        answer = {**self.answer(gateway, second), "position": 2, "estimated_wait_seconds": 100}
        stream = gateway.boards.ticket_stream(REGENCY, answer, self.TOKEN, "192.0.2.1", 1.0)
        told = [next(stream)]
        for ticket, what in ((first, "call"), (second, "cancel")):
            sequence = gateway.day.sequence
            gateway.day.step(ticket, what)
            gateway.deliver(*range(sequence, gateway.day.sequence))
            gateway.pass_by(0.1)
            told.append(next(stream))
        states = [json.loads(message.split(b"data: ")[1]) for message in told]
        assert [(state["status"], state["position"]) for state in states] == [("waiting", 2), ("waiting", 1), ("cancelled", None)]
        assert list(stream) == []

    def test_what_was_missed_of_it_is_asked_for(self, gateway):
        ticket = gateway.day.take()
        gateway.boards.follow(REGENCY, self.answer(gateway, ticket), self.TOKEN, 1.0)
        gateway.day.step(ticket, "cancel")  # its event never comes
        gateway.boards.on_connected()
        for _ in range(3):
            gateway.pass_by(0.2)
        known = gateway.boards.ticket(REGENCY, ticket, self.TOKEN, 1)
        assert known is not None
        assert known["status"] == "cancelled"


class TestStreams:
    def open(self, gateway, client="192.0.2.1"):
        return gateway.boards.board_stream(REGENCY, SITE, client, 1.0)

    def test_a_stream_begins_with_the_newest_board(self, gateway):
        gateway.day.take()
        message = next(self.open(gateway))
        assert message.startswith(b"retry: 2000\n\nid: 1\nevent: board\ndata: {")
        assert message.endswith(b"}\n\n")
        assert json.loads(message.split(b"data: ")[1]) == gateway.board()

    def test_a_slow_reader_skips(self, gateway):
        stream = self.open(gateway)
        next(stream)
        for index in range(5):
            gateway.day.take()
            gateway.deliver(index)
            gateway.pass_by(0.2)
        assert next(stream).startswith(b"id: 5\n")

    def test_silence_is_broken_by_heartbeats(self, gateway, monkeypatch):
        monkeypatch.setattr("gateway.board.streams.HEARTBEAT_SECONDS", 0.01)
        stream = self.open(gateway)
        next(stream)
        assert next(stream) == HEARTBEAT

    def test_one_client_has_so_many_and_the_others_still_theirs(self, gateway):
        streams = [self.open(gateway) for _ in range(5)]
        with pytest.raises(Refusal, match="too_many_streams"):
            self.open(gateway)
        others = [self.open(gateway, "192.0.2.2") for _ in range(5)]
        with pytest.raises(Refusal, match="busy"):
            self.open(gateway, "192.0.2.3")
        for stream in streams:
            stream.close()
            stream.close()
        assert isinstance(self.open(gateway), Stream)
        assert len(others) == 5

    def test_a_refused_stream_takes_no_place(self, gateway):
        gateway.ticketing.failure = DomainError("site_unknown")
        for _ in range(20):
            with pytest.raises(DomainError):
                self.open(gateway)
        gateway.ticketing.failure = None
        assert next(self.open(gateway))

    def test_all_end_when_the_gateway_stops(self, gateway):
        stream = self.open(gateway)
        next(stream)
        gateway.boards.end_streams()
        assert list(stream) == []
