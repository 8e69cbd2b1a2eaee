"""A private RabbitMQ from the installed binaries.

Node name, ports, Erlang cookie, port mapper (epmd), database and logs are its own, so that it neither meets a broker of the
machine nor that of another checkout.
"""

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.servers import ports
from deploy.servers.data_folder import FolderLock, tail, usable
from deploy.servers.process import Guard, ServerError, command_lines, descendants, send_signal, wait_for_exit, wait_until
from deploy.servers.rabbitmq_install import ensure_installed
from deploy.servers.rabbitmq_node import ADMIN, RabbitMQNode

_START_SECONDS = 120.0  # about 6 on an idle machine
_STOP_SECONDS = 30.0
# Asks every quorum queue of the node to elect a leader; one that has a leader keeps it.
_ELECT_LEADERS = """
[ra:trigger_election(amqqueue:get_pid(Queue))
 || Queue <- rabbit_amqqueue:list(), amqqueue:get_type(Queue) =:= rabbit_quorum_queue].
"""


class RabbitMQServer:
    """One RabbitMQ node with its data in `data_dir`; a context manager that starts and stops it.

    `port` and `management_port`: fixed ports; without them free ones are chosen, and kept for the next start as long as they are
    free. The user `mpp_admin` has all rights and a random password that stays the same, also after `wipe`; there is no guest.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        management_port: int | None = None,
        *,
        configuration: str = "",
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare and start nothing yet; `configuration`: further lines of rabbitmq.conf, which override ours."""
        self.data_dir = data_dir.resolve()
        self._report = report
        self._wanted: Mapping[str, int | None] = {"amqp": port, "management": management_port}
        # Until it is stopped others know its addresses: after a crash it comes back there, or not at all.
        self._known: Mapping[str, int] = {}
        self._node = RabbitMQNode(self.data_dir, configuration)
        self._scripts: Path | None = None
        self._lock = FolderLock(self.data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._guards: list[Guard] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # --- addresses

    @property
    def port(self) -> int:
        """The AMQP port on 127.0.0.1; known after the first start."""
        return self._node.port("amqp")

    @property
    def name(self) -> str:
        """Name of the node, part of the command line of all its processes."""
        return self._node.name

    @property
    def user(self) -> str:
        """Name of the administrator."""
        return ADMIN

    @property
    def password(self) -> str:
        """Password of the administrator."""
        return self._node.password

    @property
    def url(self) -> str:
        """Connection URL of the administrator, virtual host `/`."""
        return f"amqp://{ADMIN}:{self.password}@{ports.LOOPBACK}:{self.port}/%2F"

    @property
    def management_url(self) -> str:
        """Base address of the management API and pages; user and password are the administrator's."""
        return f"http://{ports.LOOPBACK}:{self._node.port('management')}"

    @property
    def metrics_url(self) -> str:
        """Where Prometheus finds the broker's metrics."""
        return f"http://{ports.LOOPBACK}:{self._node.port('prometheus')}/metrics"

    @property
    def pid(self) -> int | None:
        """Process id of the Erlang virtual machine while it runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the broker started here still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How the broker started here ended by itself: a status, or minus the signal; `None` when it has not."""
        return None if self._process is None else self._process.poll()

    @property
    def log(self) -> Path:
        """The broker's own log."""
        return self._node.log

    # --- life

    def start(self) -> None:
        """Start the broker and return when it takes connections; install it first when root on Debian or Ubuntu lacks it.

        A broker that outlived its starter is stopped, not adopted. Raises ServerError when the folder is in use by a live process
        or the broker does not come up.
        """
        if self.is_running:
            return
        self._close()
        self._scripts = ensure_installed(self._report)
        with usable(self.data_dir):
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        try:
            self._end_leftovers()
            self._node.prepare(self._known or self._wanted)
            crashed = self._running_mark.exists()
            self._launch(self._scripts)
            if crashed:
                self._elect_leaders()
            self._running_mark.touch()
            self._known = self._node.ports
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the broker; durable queues and persistent messages stay. Nothing happens when it does not run.

        Takes 6 seconds, 5 of which the management plugin waits for itself.
        """
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            if wait_for_exit(process, _STOP_SECONDS):
                self._running_mark.unlink(missing_ok=True)
            else:
                self.kill()
        self._known = {}
        self._close()

    def kill(self) -> None:
        """SIGKILL the broker and all its processes at once, as a crash would; `start` recovers."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGSTOP)  # else it could start another child while we look
            for pid in descendants(process.pid):
                send_signal(pid, signal.SIGKILL)
            process.kill()
            wait_for_exit(process, _STOP_SECONDS)
        for pid in self._leftovers():
            send_signal(pid, signal.SIGKILL)
        self._close()

    def wipe(self) -> None:
        """Delete the stopped broker's database: queues, messages, users and permissions, as if its disk had been lost."""
        if self.is_running:
            raise ServerError("the broker runs: stop or kill it before its database is deleted")
        self._lock.acquire()
        try:
            self._end_leftovers()
            shutil.rmtree(self._node.database, ignore_errors=True)
            self._running_mark.unlink(missing_ok=True)
        finally:
            self._lock.release()

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on this broker and return what it prints; raises ServerError when it fails."""
        return self.run("rabbitmqctl", *arguments)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of RabbitMQ's own programs on this broker, as `ctl` does."""
        if self._scripts is None:
            raise ServerError("the broker has not been started")
        done = subprocess.run(
            [str(self._scripts / program), *arguments],
            env=self._node.environment(),
            cwd=self.data_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise ServerError(f"{program} {' '.join(arguments)}: {(done.stderr or done.stdout).decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace")

    def _close(self) -> None:
        for guard in self._guards:
            guard.dismiss()
        self._guards.clear()
        if self._mapper is not None:
            self._mapper.kill()
            wait_for_exit(self._mapper, _STOP_SECONDS)
            self._mapper = None
        self._process = None
        self._lock.release()

    # --- steps of a start

    def _leftovers(self) -> list[int]:
        return [pid for pid, command in command_lines().items() if command[0] == self._node.mapper_name or self._node.name in command]

    def _end_leftovers(self) -> None:
        """End what a crashed run left: first politely, then for good; the lock says that no live starter owns it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._leftovers():
                send_signal(pid, number)
            if wait_until(lambda: not self._leftovers(), _STOP_SECONDS):
                return
        raise ServerError(f"a broker of an earlier run in {self.data_dir} does not end: {self._leftovers()}")

    def _launch(self, scripts: Path) -> None:
        node = self._node
        node.start_log.write_bytes(b"")
        # Our own port mapper, as a child: Erlang would otherwise leave one behind, for everybody, on its well-known port.
        self._mapper = self._spawn([node.mapper_name, "-port", str(node.port("epmd")), "-address", ports.LOOPBACK], "epmd")
        self._guards.append(Guard(self._mapper.pid, node.mapper_name, "TERM"))
        if not wait_until(lambda: _accepts(node.port("epmd")), 10):
            raise ServerError(f"Erlang's port mapper did not start; the end of its log:\n{tail(node.start_log)}")
        process = self._process = self._spawn([str(scripts / "rabbitmq-server")])
        self._guards.append(Guard(process.pid, node.name, "TERM"))
        settled = wait_until(lambda: process.poll() is not None or self._is_ready(), _START_SECONDS)
        if not settled or process.poll() is not None:
            raise ServerError(
                f"RabbitMQ did not start in {self.data_dir}; the end of its output and of its log:\n"
                f"{tail(node.start_log)}\n{tail(node.log)}"
            )

    @property
    def _running_mark(self) -> Path:
        """A file that is there from a start to the next clean stop."""
        return self.data_dir / "running"

    def _elect_leaders(self) -> None:
        """Wake quorum queues that a crash left without a leader.

        A queue declared less than a second before the crash comes back empty, as a follower that waits for ever (RabbitMQ 3.10,
        one node): its entry in Raft's directory had not reached the disk.
        """
        self.ctl("eval", _ELECT_LEADERS)

    def _spawn(self, command: list[str], executable: str | None = None) -> subprocess.Popen[bytes]:
        environment = self._node.environment()
        with self._node.start_log.open("ab") as log:
            return subprocess.Popen(
                command,
                executable=executable and shutil.which(executable, path=environment["PATH"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data_dir,
                env=environment,
                start_new_session=True,  # Ctrl-C of the terminal must not reach the broker
            )

    def _is_ready(self) -> bool:
        return _speaks_amqp(self.port) and _accepts(self._node.port("management"))


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((ports.LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _speaks_amqp(port: int) -> bool:
    """Whether the broker answers the protocol header with its first frame (type 1, channel 0: connection.start)."""
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(3) == b"\x01\x00\x00"
    except OSError:
        return False
