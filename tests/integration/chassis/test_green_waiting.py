"""psycopg's waiting in green threads: nobody else waits with it, and it ends whatever becomes of the connection."""

import subprocess
import sys
import textwrap

import psycopg
import pytest

from services.chassis import green_waiting
from tests.processes import CHECKOUT

pytestmark = pytest.mark.integration

PRELUDE = """
import eventlet
eventlet.monkey_patch()
import os, psycopg, sys
from eventlet.hubs import get_hub
from psycopg import waiting
from services.chassis import green_waiting
green_waiting.install()
connection = psycopg.connect(sys.argv[1], autocommit=True)
listeners = get_hub().listeners

def outcome(thread):
    try:
        return thread.wait()
    except BaseException as error:
        return type(error).__name__

def asleep(seconds=60):
    return connection.execute(f"SELECT pg_sleep({seconds})").fetchone()
"""


@pytest.fixture
def green(postgres_server):
    """Return what a program prints in a process whose threads are green."""

    def run(program: str) -> str:
        command_line = [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(program), postgres_server.admin_url]
        done = subprocess.run(command_line, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_others_run_while_one_waits(green):
    program = """
    turns = []
    def others():
        while True:
            turns.append(1)
            eventlet.sleep(0.01)
    eventlet.spawn(others)
    connection.execute("SELECT pg_sleep(0.5)")
    print(len(turns) > 5, listeners)
    """
    assert green(program) == "True {'read': {}, 'write': {}}"


def test_a_long_statement_and_a_long_answer_arrive_whole(green):
    """The server answers before it has read everything: the connection is waited for in both directions."""
    program = """
    text = "x" * 30_000_000
    length = connection.execute("SELECT length(%s)", [text]).fetchone()[0]
    print(length, len(connection.execute("SELECT repeat('y', 30000000)").fetchone()[0]))
    """
    assert green(program) == "30000000 30000000"


def test_a_connection_that_the_server_ends_ends_the_wait(green):
    program = """
    thread = eventlet.spawn(asleep)
    eventlet.sleep(0.2)
    psycopg.connect(sys.argv[1], autocommit=True).execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    print(outcome(thread), listeners)
    """
    assert green(program) == "AdminShutdown {'read': {}, 'write': {}}"


def test_a_connection_that_somebody_closes_ends_the_wait(green):
    program = """
    thread = eventlet.spawn(asleep)
    eventlet.sleep(0.2)
    os.close(connection.fileno())
    print(outcome(thread), listeners)
    """
    assert green(program) == "OperationalError {'read': {}, 'write': {}}"


def test_a_number_that_is_another_socket_s_by_now_ends_the_wait(green):
    program = """
    import socket
    thread = eventlet.spawn(asleep)
    eventlet.sleep(0.05)
    number = connection.fileno()
    os.close(number)
    sockets = []
    while not sockets or sockets[-1].fileno() != number:
        sockets.append(socket.socket())
    print(outcome(thread), listeners)
    """
    assert green(program) == "OperationalError {'read': {}, 'write': {}}"


def test_a_number_that_is_closed_already_cannot_be_waited_for(green):
    program = """
    read, write = os.pipe()
    os.close(read), os.close(write)
    def generator():
        yield waiting.Wait.R
    print(outcome(eventlet.spawn(green_waiting.wait, generator(), read, 0.1)), listeners)
    """
    assert green(program) == "OperationalError {'read': {}, 'write': {}}"


def test_a_thread_that_is_stopped_leaves_nothing_behind(green):
    program = """
    slow, killed = eventlet.spawn(lambda: eventlet.timeout.with_timeout(0.2, asleep)), None
    print(outcome(slow), end=" ")
    connection = psycopg.connect(sys.argv[1], autocommit=True)
    killed = eventlet.spawn(asleep)
    eventlet.sleep(0.2)
    killed.kill()
    print(outcome(killed), listeners)
    """
    assert green(program) == "Timeout GreenletExit {'read': {}, 'write': {}}"


def test_an_interrupt_ends_the_process(green):
    program = """
    import signal
    eventlet.spawn_after(0.2, os.kill, os.getpid(), signal.SIGINT)
    try:
        asleep()
    except BaseException as error:
        print(type(error).__name__)
    """
    assert green(program) == "KeyboardInterrupt"


def test_threads_that_are_not_green_wait_as_psycopg_does(postgres_server):
    with psycopg.connect(postgres_server.admin_url) as connection:
        assert psycopg.waiting.wait is green_waiting.wait
        assert connection.execute("SELECT 1").fetchone() == (1,)
