"""Parts of the platform as real processes, for tests that start, stop, freeze and kill them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from deploy.servers.account import Account, switch
from deploy.servers.ports import LOOPBACK, free_port

CHECKOUT = Path(__file__).resolve().parents[1]
START_SECONDS = 40.0

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, within: float = 15.0, every: float = 0.05) -> T:
    """Return the first true value of ``condition``; fail with its last value or exception after ``within`` seconds."""
    end = time.monotonic() + within
    while True:
        last: object
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # noqa: BLE001  (told when time is over)
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"not within {within:g} s; last: {last!r}")
        time.sleep(every)


class ServiceProcess:
    """One process of the platform, with a probe port of its own and its log in a file."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.host, self.probe_port = LOOPBACK, free_port()
        self._command = [sys.executable, "-W", "ignore", *command]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MPP_")},
            **environment,
            "MPP_PROBE_PORT": str(self.probe_port),
        }
        self._folder = CHECKOUT
        self._account: Account | None = None
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def of_part(cls, part: str, environment: Mapping[str, str], log: Path) -> Self:
        """Return a part of the real platform, not yet started (``mpp run PART``)."""
        return cls(["-m", "deploy.cli", "run", part], environment, log)

    @classmethod
    def of_probe(cls, names: list[str], environment: Mapping[str, str], log: Path) -> Self:
        """Return probe services, not yet started."""
        return cls(["-m", "tests.probe", *names], environment, log)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start; with ``wait`` until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **switch(self._account),
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, within: float = START_SECONDS) -> None:
        """Wait until its probes are content; fail with the end of its log."""

        def ready_or_ended() -> bool:
            return self.has_ended() or self.is_ready()

        try:
            eventually(ready_or_ended, within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None
        if self.has_ended():
            raise AssertionError(f"ended before it was ready:\n{self.log_tail()}")

    def has_ended(self) -> bool:
        """Whether it was started and has come to its end."""
        return self._process is not None and self._process.poll() is not None

    def is_ready(self) -> bool:
        """Whether ``/readyz`` answers 200 now."""
        try:
            return self.probe("/readyz")[0] == 200
        except OSError:
            return False

    def probe(self, path: str, timeout: float = 3.0) -> tuple[int, str]:
        """Return status and body of one of the probe port's pages."""
        url = f"http://{self.host}:{self.probe_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with the given labels; 0 when there is none."""
        total = 0.0
        for line in self.probe("/metrics")[1].splitlines():
            if line.startswith((name + "{", name + " ")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def log_entries(self) -> list[dict[str, object]]:
        """Return its JSON log lines."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def kill(self) -> None:
        """``kill -9``: as a crash ends it."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """``SIGSTOP``: alive for the kernel, dead for everyone else."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """``SIGCONT``."""
        self.send(signal.SIGCONT)

    def stop(self, within: float = 40.0) -> int | None:
        """``SIGTERM`` and wait; returns the exit status, ``None`` when it was not running."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self.thaw()
            self.send(signal.SIGTERM)
            try:
                self._process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not stop within {within:g} s:\n{self.log_tail()}") from None
        return self._process.returncode

    def send(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
