"""A call is an answer, a refusal, or `Unavailable` before its deadline, whatever happens to the broker. Never a hang."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kombu import Connection, Queue

from services.chassis import listener
from services.chassis.broker import RPC_EXCHANGE, Sender, rpc_queue
from services.chassis.context import CallContext
from services.chassis.errors import BrokerUnavailable, DeadlineExceeded, DomainError, Unavailable
from services.chassis.listener import Listener
from services.chassis.rpc import RpcClient
from tests.integration.chassis.silent_line import SilentLine
from tests.probe.deployment import management, new_virtual_host
from tests.processes import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def url(rabbitmq_server) -> str:
    return new_virtual_host(rabbitmq_server)


@pytest.fixture
def line(rabbitmq_server) -> Iterator[SilentLine]:
    line = SilentLine(rabbitmq_server.port)
    yield line
    line.close()


class Answering:
    """A service that answers with the payload, as the chassis's own does on the wire."""

    def __init__(self, url: str) -> None:
        self.sender = Sender(url)
        self.seen: list[str] = []
        self.listener = Listener("echo.rpc", url, lambda: [rpc_queue("echo")], self._take)
        threading.Thread(target=self.listener.run, daemon=True).start()
        assert self.listener.connected.wait(5)

    def _take(self, body, message) -> None:
        method = message.delivery_info["routing_key"].partition(".")[2]
        self.seen.append(method)
        answers = {
            "echo": {"result": body["payload"], "error": None},
            "refuse": {"result": None, "error": {"code": "site_unknown", "details": {"site": "x"}}},
            "busy": {"result": None, "error": {"code": "busy", "details": {}}},
            "malformed": ["no", "object"],
        }
        if method in answers:
            self.sender.send(
                answers[method],  # type: ignore[arg-type]
                exchange="",
                routing_key=message.properties["reply_to"],
                deadline=time.time() + 5,
                correlation_id=message.properties["correlation_id"],
            )
        self.listener.acknowledge(message)

    def close(self) -> None:
        self.listener.close()
        self.listener.finished.wait(5)
        self.sender.close()


@pytest.fixture
def service(url) -> Iterator[Answering]:
    service = Answering(url)
    yield service
    service.close()


@pytest.fixture
def client(url) -> Iterator[RpcClient]:
    client = RpcClient(url, "caller")
    client.start()
    yield client
    client.stop()


def ask(client: RpcClient, method: str = "echo", payload: object = None, seconds: float = 5.0) -> object:
    return client.call("echo", method, payload or {}, CallContext(None).within(seconds))  # type: ignore[arg-type]


def refused(client: RpcClient, error: type[Exception], seconds: float, method: str = "echo") -> float:
    """Assert that a call fails with an error of a kind; return how long it took."""
    started = time.monotonic()
    with pytest.raises(error):
        ask(client, method, seconds=seconds)
    return time.monotonic() - started


def test_the_answer_comes_back(client, service):
    assert ask(client, payload={"text": "é", "list": [1, None]}) == {"text": "é", "list": [1, None]}


def test_a_refusal_comes_back_as_what_it_is(client, service):
    with pytest.raises(DomainError) as refusal:
        ask(client, "refuse")
    assert (refusal.value.code, refusal.value.details) == ("site_unknown", {"site": "x"})
    assert not isinstance(refusal.value, Unavailable)


def test_a_service_that_is_busy_is_unavailable_to_its_caller(client, service):
    with pytest.raises(Unavailable) as refusal:
        ask(client, "busy")
    assert refusal.value.code == "busy"


@pytest.mark.parametrize("method", ["silent", "malformed"])
def test_without_a_usable_answer_a_call_ends_at_its_deadline(client, service, method):
    assert 0.25 < refused(client, DeadlineExceeded, 0.3, method) < 1.5
    assert client._pending == {}
    assert ask(client) == {}


def test_who_waits_for_the_connection_finds_all_that_belongs_to_it(url):
    before: list[bool] = []
    queue = Queue("test.connected", durable=False, exclusive=True)
    waiting = Listener("test", url, lambda: [queue], lambda *_: None, on_connected=lambda _: before.append(waiting.connected.is_set()))
    threading.Thread(target=waiting.run, daemon=True).start()
    assert waiting.connected.wait(5)
    waiting.close()
    assert waiting.finished.wait(5)
    assert before == [False], "first the address for answers, then the news"


def test_the_very_first_call_waits_for_the_connection(url, service):
    for _ in range(5):
        client = RpcClient(url, "caller")
        client.start()
        assert ask(client, seconds=2.0) == {}
        client.stop()


def test_answers_that_nobody_waits_for_are_ignored(client, service):
    with pytest.raises(DeadlineExceeded):
        ask(client, "silent", seconds=0.05)
    reply_to = client._reply_to
    for correlation in ("unknown", None):
        service.sender.send({"result": 1}, exchange="", routing_key=reply_to, deadline=time.time() + 5, correlation_id=correlation)
    assert ask(client) == {}


def test_without_a_broker_a_call_is_refused_in_time_and_readiness_says_so():
    client = RpcClient("amqp://x:x@127.0.0.1:1//", "caller")
    client.start()
    assert refused(client, BrokerUnavailable, 0.3) < 1.2
    assert refused(client, BrokerUnavailable, 30.0) < 5
    with pytest.raises(BrokerUnavailable):
        client.check()
    client.stop()


def close_all_connections(rabbitmq_server) -> None:
    for connection in management(rabbitmq_server, "GET", "/api/connections?columns=name"):
        management(rabbitmq_server, "DELETE", "/api/connections/" + connection["name"].replace(" ", "%20").replace(">", "%3E"))


def test_when_the_connection_is_lost_calls_under_way_end_at_once_and_later_ones_succeed(client, service, rabbitmq_server):
    ask(client)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(refused, client, BrokerUnavailable, 30.0, "silent") for _ in range(4)]
        eventually(lambda: service.seen.count("silent") == 4)
        eventually(lambda: len(management(rabbitmq_server, "GET", "/api/connections?columns=name")) >= 3, within=20)
        close_all_connections(rabbitmq_server)
        assert all(call.result() < 25 for call in waiting)
    eventually(lambda: ask(client, seconds=1.0) == {})


def test_on_a_dead_line_a_call_ends_at_its_deadline_and_when_it_is_mended_all_is_well(url, line, service, monkeypatch):
    """A lost network closes no connection: only missing heartbeats tell."""
    monkeypatch.setattr(listener, "HEARTBEAT", 1)
    address = url.rpartition("@")
    client = RpcClient(f"{address[0]}@127.0.0.1:{line.port}/{address[2].rpartition('/')[2]}", "caller")
    client.start()
    assert ask(client) == {}
    line.cut()
    assert 0.4 < refused(client, Unavailable, 0.5) < 1.5
    eventually(lambda: not client._listener.connected.is_set(), within=10)
    for seconds in (0.2, 0.5):
        assert refused(client, Unavailable, seconds) < seconds + 1.0
    line.mend()
    eventually(lambda: ask(client, seconds=1.0) == {}, within=15)
    client.stop()


def test_sending_over_a_dead_line_ends_at_the_deadline_too(url, line):
    start, _, host = url.rpartition("@")
    sender = Sender(f"{start}@127.0.0.1:{line.port}/{host.rpartition('/')[2]}")
    line.cut()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            sender.send({}, exchange="", routing_key="x", deadline=time.time() + 0.3)
        assert time.monotonic() - started < 1.5
    sender.close()


def test_a_request_is_gone_at_its_deadline_even_when_nobody_takes_it(client, url):
    with Connection(url) as connection:
        queue = rpc_queue("echo")(connection.default_channel)
        RPC_EXCHANGE(connection.default_channel).declare()
        queue.declare()
        refused(client, DeadlineExceeded, 0.3)
        eventually(lambda: queue.queue_declare(passive=True).message_count == 0)
