"""What the bench reads from the kernel's books."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.bench.accounting import Books, memory, parse_ticks, processor_seconds

pytestmark = pytest.mark.unit

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"


def test_a_name_with_spaces_and_parentheses_shifts_no_field() -> None:
    fields = ["S", *["0"] * 10, "7", "5", "30", "2", "20"]
    assert parse_ticks(f"12 (a ) b) {' '.join(fields)}\n") == 7 + 5 + 30 + 2


def test_children_count_also_when_they_have_ended() -> None:
    books = Books({"us": [os.getpid()]})
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert books.spent()["us"] >= 0.25


def test_a_running_child_counts_with_its_parent() -> None:
    before = processor_seconds(os.getpid())
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY + "print('done', flush=True)\ninput()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert processor_seconds(os.getpid()) - before >= 0.25
    finally:
        child.communicate(b"\n")


def test_what_has_ended_and_has_no_parent_here_counts_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert processor_seconds(child.pid) == 0.0


def test_memory_of_this_process() -> None:
    found = memory(os.getpid())
    assert found.resident > 5
    assert found.proportional is not None
    assert 0 < found.proportional <= found.resident
