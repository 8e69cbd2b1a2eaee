"""How psycopg waits for PostgreSQL: the green thread sleeps in eventlet's hub until the socket can be read.

psycopg's own C function would block every green thread of the process (two threads on one row lock hang it for good),
and its portable one builds a selector, with a listener that is woken over a timer, for each statement: about 15 µs.
"""

from __future__ import annotations

import os
from typing import Any

import greenlet
import psycopg
from eventlet.green import select as green_select
from eventlet.hubs import IOClosed, get_hub
from eventlet.patcher import is_monkey_patched
from psycopg import waiting
from psycopg.waiting import Ready, Wait


def install() -> None:
    """Have psycopg wait this way in every process; where threads are not green it waits as it always does."""
    waiting.wait = wait


def wait(gen: Any, fileno: int, interval: float = 0.0, timeout: float | None = None) -> Any:
    """Run one of psycopg's generators to its end and return what it returns; meant as ``psycopg.waiting.wait``.

    :param gen: yields what it waits for, is sent what is ready: nothing, after each ``interval``.
    :param fileno: the connection's socket.
    :param interval: seconds after which a socket is found out that somebody closed meanwhile.
    :param timeout: seconds for the whole; psycopg sets it for the rare things that it does itself, such as cancelling.
    """
    if timeout is not None or not is_monkey_patched("select"):
        return waiting.wait_selector(gen, fileno, interval, timeout)
    try:
        wanted = next(gen)
        while True:
            ready = _readable(fileno, interval) if wanted == Wait.R else _either(fileno, wanted, interval)
            if not ready:
                _check_open(fileno)
            wanted = gen.send(ready)
    except StopIteration as finished:
        return finished.value


def _readable(fileno: int, interval: float) -> Ready:
    hub, current = get_hub(), greenlet.getcurrent()
    if current is hub.greenlet:
        raise RuntimeError("the hub itself cannot wait")
    try:
        listener = hub.add(hub.READ, fileno, current.switch, current.throw, None)
    except OSError:  # the hub has noted the listener before epoll refused the number
        hub.remove_descriptor(fileno)
        _check_open(fileno)
        raise
    try:
        timer = hub.schedule_call_global(interval, current.switch, None)
        try:
            woken_by = hub.switch()  # the socket's number, or None from the timer
        finally:
            timer.cancel()
    except IOClosed as closed:  # the number belongs to another socket by now
        raise psycopg.OperationalError("connection socket closed") from closed
    finally:
        hub.remove(listener)
    return Ready.NONE if woken_by is None else Ready.R


def _either(fileno: int, wanted: Wait, interval: float) -> Ready:
    """Wait until a socket takes more, too: PostgreSQL has not read all of a long statement yet."""
    readable, writable, _ = green_select.select([fileno] if wanted & Wait.R else [], [fileno] if wanted & Wait.W else [], [], interval)
    return Ready((Ready.R if readable else 0) | (Ready.W if writable else 0))


def _check_open(fileno: int) -> None:
    try:
        os.fstat(fileno)
    except OSError as closed:
        raise psycopg.OperationalError("connection socket closed") from closed
