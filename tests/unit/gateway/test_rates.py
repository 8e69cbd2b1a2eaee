"""Limits on rate: for callers without an account and for attempts to log in, by client address."""

import threading

import pytest
from limits import parse
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from gateway import rate_limit
from gateway.problems import Refusal
from gateway.rate_limit import RateLimits, Windows, client_of
from services.chassis.settings import SettingsError

pytestmark = pytest.mark.unit

SITES = "/v1/lampung-timur/sites"
LOGIN = {"username": "officer@lampung-timur", "password": "guess"}


def statuses(edge, count, path=SITES, **options):
    return [edge.send("GET", path, **options).status_code for _ in range(count)]


def test_a_caller_without_an_account_is_limited(edge_with, problem_of):
    edge = edge_with(anonymous_rate="3/hour")
    assert statuses(edge, 3) == [200, 200, 200]
    response = edge.send("GET", SITES)
    assert problem_of(response)["code"] == "rate_limited"
    assert 1 <= int(response.headers["Retry-After"]) <= 3600


def test_another_address_has_a_limit_of_its_own(edge_with):
    edge = edge_with(anonymous_rate="1/hour")
    assert statuses(edge, 2, client="192.0.2.1") == [200, 429]
    assert statuses(edge, 1, client="192.0.2.2") == [200]


def test_staff_is_not_limited(edge_with):
    assert statuses(edge_with(anonymous_rate="1/hour"), 5, role="officer") == [200] * 5


def test_invalid_tokens_and_unknown_paths_count(edge_with):
    edge = edge_with(anonymous_rate="2/hour")
    assert statuses(edge, 1, headers={"Authorization": "Bearer x.y.z"}) == [401]
    assert statuses(edge, 1, path="/wp-admin") == [404]
    assert statuses(edge, 1) == [429]
    assert statuses(edge, 1, headers={"Authorization": "Bearer x.y.z"}) == [429]


def test_who_watches_the_gateway_is_not_limited_like_the_others(edge_with):
    edge = edge_with(anonymous_rate="1/hour")
    for path in ("/healthz", "/readyz", "/metrics"):
        assert statuses(edge, 10, path=path) == [200] * 10


@pytest.mark.parametrize(("path", "answers"), [("/readyz", {200, 429}), ("/metrics", {200, 429}), ("/healthz", {200})])
def test_nobody_may_have_the_gateway_look_at_itself_without_end(edge, monkeypatch, path, answers):
    monkeypatch.setattr(edge.limits, "_watcher", parse("20/hour"))
    assert set(statuses(edge, 30, path=path)) == answers
    assert statuses(edge, 1, path=path, client="192.0.2.2") == [200]


def test_attempts_to_log_in_are_limited(edge_with, problem_of):
    edge = edge_with(login_rate="2/hour")
    answers = [edge.send("POST", "/v1/auth/token", json_body=LOGIN) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Retry-After" in answers[-1].headers
    assert len(edge.services.calls) == 2


def request_from(address, forwarded=None):
    headers = [] if forwarded is None else [("X-Forwarded-For", forwarded)]
    return Request(EnvironBuilder(headers=headers, environ_overrides={"REMOTE_ADDR": address}).get_environ())


@pytest.mark.parametrize(
    ("forwarded", "proxies", "client"),
    [
        ("198.51.100.7", 0, "192.0.2.1"),
        ("198.51.100.7", 1, "198.51.100.7"),
        ("10.0.0.1, 198.51.100.7", 1, "198.51.100.7"),
        ("198.51.100.7, 10.0.0.1", 2, "198.51.100.7"),
        ("198.51.100.7", 2, "192.0.2.1"),
        (None, 1, "192.0.2.1"),
        ("  ,, ", 1, "192.0.2.1"),
    ],
)
def test_the_client_is_whom_our_own_proxies_name(forwarded, proxies, client):
    assert client_of(request_from("192.0.2.1", forwarded), proxies) == client


def test_ipv6_clients_are_counted_by_network():
    assert client_of(request_from("2001:db8::1"), 0) == client_of(request_from("2001:db8::ffff:1"), 0)
    assert client_of(request_from("2001:db8::1"), 0) != client_of(request_from("2001:db8:0:1::1"), 0)


def test_ipv4_clients_of_an_ipv6_listener_are_counted_one_by_one():
    assert client_of(request_from("::ffff:192.0.2.1"), 0) == "192.0.2.1"


@pytest.mark.parametrize("rate", ["", "many", "5", "5/fortnight"])
def test_a_rate_that_is_none_is_said_to_be_none(rate):
    with pytest.raises(SettingsError, match="MPP_LOGIN_RATE"):
        RateLimits("1/minute", rate)


@pytest.fixture
def clock(monkeypatch):
    """The time that windows see; a list of one, to be changed."""
    now = [1_000_000.0]
    monkeypatch.setattr("limits.storage.memory.time.time", lambda: now[0])
    return now


def test_a_limit_begins_anew_when_its_window_has_ended(clock):
    limits = RateLimits("2/minute", "1/minute")
    for moment in (0.0, 60.0, 125.0):
        clock[0] = 1_000_000.0 + moment
        limits.count_anonymous("192.0.2.1")
        limits.count_anonymous("192.0.2.1")
        clock[0] += 59.9
        with pytest.raises(Refusal):
            limits.count_anonymous("192.0.2.1")


def test_clients_that_come_no_more_are_forgotten(clock):
    windows = Windows()
    for number in range(50):
        assert windows.incr(f"client-{number}", 60) == 1
    clock[0] += 60 + rate_limit.SWEEP_SECONDS
    windows.incr("another", 60)
    assert (set(windows.storage), set(windows.expirations)) == ({"another"}, {"another"})


def test_counting_starts_no_threads(monkeypatch):
    windows = Windows()
    windows.timer.join()
    started: list[object] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    assert [windows.incr("client", 60) for _ in range(3)] == [1, 2, 3]
    assert started == []


def test_counts_of_several_threads_are_all_counted():
    windows = Windows()
    threads = [threading.Thread(target=lambda: [windows.incr("client", 60) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert windows.get("client") == 8000
