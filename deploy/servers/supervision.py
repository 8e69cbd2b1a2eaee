"""Private servers that end by themselves are started again, with the same data and at the same address."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from deploy.servers.process import ServerError

DELAYS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each attempt; a server that has ended or failed to start so many times in a row is given up."""

STEADY_SECONDS = 300.0
"""Who has run for so long has recovered: the next end is a new story."""

_LOOK_SECONDS = 0.25


class Server(Protocol):
    """What is watched: one of the servers of this package."""

    data_dir: Path

    @property
    def log(self) -> Path:
        """Where the server writes what happens to it."""

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""

    @property
    def exit_status(self) -> int | None:
        """How its process ended, as `subprocess` tells it; `None` while it runs."""

    def start(self) -> None:
        """Start it, or raise `ServerError`."""


class Supervisor:
    """Watches running servers, and starts each again that ends.

    :param servers: by the name under which people know them; all of them run.
    :param report: told in a line each that a server has ended, and that it runs again.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        report: Callable[[str], None],
        *,
        delays: Sequence[float] = DELAYS,
        steady_seconds: float = STEADY_SECONDS,
    ) -> None:
        self._servers = dict(servers)
        self._report = report
        self._delays = tuple(delays)
        self._steady_seconds = steady_seconds
        self._failures = dict.fromkeys(self._servers, 0)
        self._started = dict.fromkeys(self._servers, time.monotonic())

    def run(self) -> None:
        """Watch until a server is given up.

        :raises ServerError: it does not stay up; says why, where its log is and what to do.
        """
        while True:
            for name, server in self._servers.items():
                if not server.is_running:
                    self._revive(name, server)
            time.sleep(_LOOK_SECONDS)

    def _revive(self, name: str, server: Server) -> None:
        if time.monotonic() - self._started[name] >= self._steady_seconds:
            self._failures[name] = 0
        reason = _ending(server.exit_status)
        self._report(f"{name} has ended ({reason}). Starting it again; its log is {server.log}")
        while self._failures[name] < len(self._delays):
            time.sleep(self._delays[self._failures[name]])
            self._failures[name] += 1
            try:
                server.start()
            except ServerError as error:
                reason = str(error)
                self._report(f"{name} did not start (attempt {self._failures[name]} of {len(self._delays)})")
                continue
            self._started[name] = time.monotonic()
            self._report(f"{name} runs again, with all its data")
            return
        raise ServerError(_given_up(name, server, len(self._delays), reason))


def _ending(status: int | None) -> str:
    if status is None:
        return "nobody knows how"
    return f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


def _given_up(name: str, server: Server, attempts: int, reason: str) -> str:
    disk = shutil.disk_usage(server.data_dir)
    return (
        f"{name} does not stay up: it was started again {attempts} times, and is given up. The last time: {reason}\n"
        f"Its log is {server.log}; its disk has {disk.free // 1_000_000:,} MB free of {disk.total // 1_000_000:,} MB.\n"
        f"Everything has been stopped. Repair what the log names (a full disk: make room), then start again with the same command:"
        f" the data stay in {server.data_dir}."
    )
