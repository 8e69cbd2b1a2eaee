"""A log line is one JSON object with what is known about the call: regency, correlation id, event."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from services.chassis import logs
from services.chassis.settings import Settings

pytestmark = pytest.mark.unit

LIBRARIES = ("nameko", "amqp", "kombu", "eventlet", "alembic", "sqlalchemy", "asyncio")
Lines = Callable[[], list[str]]


@pytest.fixture
def lines(monkeypatch) -> Iterator[Callable[..., Lines]]:
    """Configure logging as a process does; gives what it wrote, and puts everything back."""
    root = logging.getLogger()
    quiet = {name: logging.getLogger(name).level for name in LIBRARIES}
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()

    def configure(log_level: str = "INFO", log_format: str = "json") -> Lines:
        monkeypatch.setattr("sys.stderr", written)
        logs.configure(Settings(log_level=log_level, log_format=log_format))
        return lambda: written.getvalue().splitlines()

    yield configure
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in quiet.items():
        logging.getLogger(name).setLevel(former)


def test_a_line_is_json_with_time_level_logger_and_what_was_said(lines):
    read = lines()
    logs.get_logger("chassis.test").warning("relay_interrupted", service="ticketing", events=3)
    (line,) = read()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "relay_interrupted", "level": "warning", "logger": "chassis.test", "service": "ticketing", "events": 3}


def test_what_is_bound_to_the_call_is_in_each_of_its_lines(lines):
    read = lines()
    with structlog.contextvars.bound_contextvars(regency="lampung-timur", event_id="e-1", traceparent="00-a-b-01"):
        logs.get_logger("chassis.test").info("first")
        logging.getLogger("some.library").error("second: %s", 2)
    logs.get_logger("chassis.test").info("third")
    first, second, third = map(json.loads, read())
    for entry in (first, second):
        assert (entry["regency"], entry["event_id"], entry["traceparent"]) == ("lampung-timur", "e-1", "00-a-b-01")
    assert second["event"] == "second: 2"
    assert "regency" not in third


def test_a_stack_trace_stays_on_its_line(lines):
    read = lines()
    try:
        raise RuntimeError("broken\nin two lines")
    except RuntimeError:
        logs.get_logger("chassis.test").exception("call_failed")
        logging.getLogger("some.library").exception("failed too")
    entries = [json.loads(line) for line in read()]
    assert len(entries) == 2
    for entry in entries:
        assert "RuntimeError: broken" in entry["exception"]


def test_the_level_decides_what_is_written(lines):
    read = lines(log_level="WARNING")
    logs.get_logger("chassis.test").info("chatter")
    logs.get_logger("chassis.test").warning("news")
    assert [json.loads(line)["event"] for line in read()] == ["news"]


def test_libraries_do_not_report_every_call(lines):
    read = lines(log_level="INFO")
    for library in ("nameko.containers", "amqp", "kombu.connection", "sqlalchemy.engine"):
        logging.getLogger(library).info("every call")
    assert read() == []


def test_on_a_console_lines_are_for_people(lines):
    read = lines(log_format="console")
    logs.get_logger("chassis.test").info("started", service="ticketing")
    (line,) = read()
    assert "started" in line
    assert "service=ticketing" in line
    assert not line.startswith("{")
