"""The listener: many clients at once, one owner of the port, a stop that cuts nobody off."""

import signal
import socket
import threading
import time

import pytest

from tests.access_tokens import token_of

pytestmark = pytest.mark.integration

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: mpp\r\n\r\n"
ID = "0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f"


def slow_request():
    """Return a request that the server takes a second to answer."""
    lines = [f"POST /v1/lampung-timur/tickets/{ID}/start HTTP/1.1", "Host: mpp", f"Authorization: Bearer {token_of()}", "", ""]
    return "\r\n".join(lines).encode()


def test_a_thousand_clients_at_once_are_all_answered_soon(edge_process, connect):
    started = time.monotonic()
    connections = [connect(edge_process) for _ in range(1_000)]
    for connection in connections:
        connection.send(HEALTH)
    assert {connection.answer().status for connection in connections} == {200}
    assert time.monotonic() - started < 10


def test_clients_may_connect_while_the_process_is_busy(edge_process, connect):
    edge_process.process.send_signal(signal.SIGSTOP)
    try:
        waiting = [connect(edge_process).send(HEALTH) for _ in range(1_100)]
    finally:
        edge_process.process.send_signal(signal.SIGCONT)
    assert {connection.answer().status for connection in waiting} == {200}


def test_slow_requests_do_not_hold_up_others(edge_process, connect):
    slow = [connect(edge_process).send(slow_request()) for _ in range(50)]
    started = time.monotonic()
    assert connect(edge_process).send(HEALTH).answer().status == 200
    assert time.monotonic() - started < 0.8
    assert {connection.answer().status for connection in slow} == {200}
    assert time.monotonic() - started < 5


def test_two_processes_cannot_share_a_port(edge_process, second_server):
    second = second_server(edge_process.port)
    assert second.returncode != 0
    assert "Address already in use" in second.stderr


def test_a_stop_lets_running_requests_finish_and_closes_the_idle(own_edge_process, connect):
    idle, busy = connect(own_edge_process), connect(own_edge_process)
    assert idle.send(HEALTH).answer().status == 200
    busy.send(slow_request())
    assert connect(own_edge_process).send(HEALTH).answer().status == 200  # by now the slow request is being served
    own_edge_process.process.terminate()
    assert idle.is_closed()
    answer = busy.answer("POST")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert own_edge_process.process.wait(timeout=10) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", own_edge_process.port))


def test_clients_that_vanish_leave_nothing_behind(edge_process, connect):
    def come_and_go():
        for _ in range(20):
            connection = connect(edge_process)
            connection.send(slow_request()[:40])
            connection.close()

    threads = [threading.Thread(target=come_and_go) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert open_connections(edge_process, connect) == 1


def open_connections(edge, connect):
    """Return how many connections the server counts, once the closed ones are gone: this one at least."""
    connection = connect(edge)
    deadline = time.monotonic() + 10
    while True:
        text = connection.send(b"GET /metrics HTTP/1.1\r\nHost: mpp\r\n\r\n").answer().body.decode()
        [line] = [line for line in text.splitlines() if line.startswith("mpp_http_connections ")]
        count = int(float(line.split()[1]))
        if count == 1 or time.monotonic() > deadline:
            return count
