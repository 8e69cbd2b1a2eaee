"""`mpp up` as somebody at a terminal runs it: a child process with a data folder and a port of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.servers.ports import free_port
from deploy.servers.process import command_lines, descendants
from tests.platform.client import Client, Ledger
from tests.processes import CHECKOUT, eventually

DEMO_PASSWORD = "demo"
READY_LINE = "Ctrl-C stops it"


def environment(**more: str) -> dict[str, str]:
    """This process's environment without the platform's variables, and with the given ones."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("MPP_")}, **more}


class EmbeddedPlatform:
    """The whole platform in one process. The folder stays when it stops."""

    def __init__(self, data_dir: Path, *, broker: str = "embedded", port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.output = data_dir.with_name(f"{data_dir.name}-{self.port}.out")
        self._broker = broker
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.interrupt()

    def launch(self) -> None:
        """Start the process, in a process group of its own as a shell does."""
        command = [sys.executable, "-W", "ignore", "-m", "deploy.cli", "up", "--broker", self._broker]
        variables = environment(MPP_DATA_DIR=str(self.data_dir), MPP_HTTP_PORT=str(self.port))
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=CHECKOUT, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
            )

    def start(self, within: float = 90.0) -> float:
        """Start and wait until it says that it runs; return how many seconds that took."""
        started = time.monotonic()
        self.launch()

        def ready() -> bool:
            if READY_LINE in self.printed():
                return True
            assert self.status is None, f"ended with {self.status}: {self.printed()}"
            return False

        eventually(ready, within=within)
        return time.monotonic() - started

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, `None` while it runs."""
        return None if self._process is None else self._process.poll()

    def wait_ended(self, within: float = 30.0) -> int:
        """Wait for its end; return the exit status."""
        assert self._process is not None
        return self._process.wait(within)

    def printed(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    def interrupt(self) -> int:
        """Ctrl-C: SIGINT to its whole process group; return the exit status."""
        self._close_clients()
        if self.status is None:
            os.killpg(self.pid, signal.SIGINT)
        return self.wait_ended()

    def kill(self) -> None:
        """`kill -9`: nothing is cleaned up by the process itself."""
        assert self._process is not None
        self._close_clients()
        self._process.kill()
        self._process.wait()

    def _close_clients(self) -> None:
        """Their connections lead to a process that is about to end."""
        for client in self._clients:
            client.close()

    def family(self) -> set[int]:
        """Process ids of everything that it started, servers included."""
        return set(descendants(self.pid))

    def leftovers(self, family: set[int]) -> dict[int, list[str]]:
        """Command lines of processes of the family, or with the data folder in their command line, that still run."""
        return {
            pid: command
            for pid, command in command_lines().items()
            if (pid in family or any(str(self.data_dir) in word for word in command)) and pid != os.getpid()
        }

    def client(self, account: str | None = None, *, ledger: Ledger | None = None) -> Client:
        """A client signed in with the demonstration's password, or anonymous."""
        client = Client([self.port], None if account is None else self.token(account), actor=account or "anonymous", ledger=ledger)
        self._clients.append(client)
        return client

    def token(self, account: str) -> str:
        """A new access token, with the demonstration's password."""
        client = Client([self.port])
        answer = client.post("/v1/auth/token", {"username": account, "password": DEMO_PASSWORD})
        client.close()
        assert answer.status == 200, answer
        token: str = answer.body["access_token"]
        return token
