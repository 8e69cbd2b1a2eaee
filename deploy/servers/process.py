"""Processes of private servers: no orphans, and an end that is waited for."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.02


class ServerError(RuntimeError):
    """A private server cannot be installed, started or stopped; the message says why and what to do."""


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll until the condition holds or `timeout` seconds have passed; tell whether it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def command_lines() -> dict[int, list[str]]:
    """Command line of every process that can be seen.

    /proc/<pid>/cmdline is readable for everybody; cwd or environ of another account's process need rights that root may lack in
    a container.
    """
    found: dict[int, list[str]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                content = Path(entry.path, "cmdline").read_bytes()
            except OSError:
                continue  # ended meanwhile
            if content:  # a zombie has none
                found[int(entry.name)] = content.decode(errors="surrogateescape").rstrip("\0").split("\0")
    return found


def descendants(pid: int) -> list[int]:
    """Processes that this one started, and theirs in turn."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                # "pid (name) state parent ...": the name may hold spaces and parentheses
                parent = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # ended meanwhile
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        started = children.get(waiting.pop(), [])
        found += started
        waiting += started
    return found


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_for_exit(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait up to `timeout` seconds until the child has ended; tell whether it has."""
    return wait_until(lambda: process.poll() is not None, timeout)


class Guard:
    """Stops a server when the process that started it is gone, even by SIGKILL.

    A shell waits at the end of a pipe whose other end only the starter holds. (PR_SET_PDEATHSIG would be shorter, but fires when
    the starting *thread* ends.) The shell looks at the command line first, because the process id may belong to another by then.
    """

    _SCRIPT = 'read -r line; grep -qaF -- "$2" "/proc/$1/cmdline" 2>/dev/null && kill -s "$3" "$1"'

    def __init__(self, pid: int, mark: str, signal_name: str) -> None:
        """Guard process `pid`, whose command line contains `mark`; `signal_name` (as in kill -s) makes it stop cleanly."""
        reader, self._writer = os.pipe()
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", self._SCRIPT, "mpp-guard", str(pid), mark, signal_name],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C of the terminal must not end the guard before the server
        )
        os.close(reader)

    def dismiss(self) -> None:
        """End the guard without touching the server."""
        self._shell.kill()
        wait_for_exit(self._shell, timeout=10)
        os.close(self._writer)
