"""A server that ends by itself is started again; one that does not stay up is given up with advice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from deploy.servers.postgres import PostgresServer
from deploy.servers.process import ServerError, wait_until
from deploy.servers.supervision import Supervisor

pytestmark = pytest.mark.integration


class Watched:
    """A server under a supervisor, what is reported, and how the watching ended."""

    def __init__(self, server: PostgresServer, attempts: int, steady_seconds: float) -> None:
        self.server = server
        self.reported: list[str] = []
        self.error: ServerError | None = None
        supervisor = Supervisor({"PostgreSQL": server}, self.reported.append, delays=(0.0,) * attempts, steady_seconds=steady_seconds)
        self.thread = threading.Thread(target=self._run, args=(supervisor,), daemon=True)
        self.thread.start()

    def _run(self, supervisor: Supervisor) -> None:
        try:
            supervisor.run()
        except ServerError as error:
            self.error = error

    def kill(self) -> None:
        """kill -9 of the running server."""
        assert wait_until(lambda: self.server.pid is not None, 20)
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)

    def wait_back(self, times: int) -> None:
        """Wait until it has come back so many times."""
        assert wait_until(lambda: self.reported.count("PostgreSQL runs again, with all its data") == times, 60), self.reported


@contextmanager
def watched(folder: Path, attempts: int, steady_seconds: float = 1000.0) -> Iterator[Watched]:
    with PostgresServer(folder, durable=False) as server:
        watch = Watched(server, attempts, steady_seconds)
        yield watch
        if watch.thread.is_alive():  # it has to end before the server is stopped: nothing else ends it
            (server.data_dir / "cluster" / "global" / "pg_control").unlink()
            watch.kill()
            watch.thread.join(60)


def test_it_comes_back_at_its_address_with_its_data(folder: Path) -> None:
    with watched(folder, attempts=1) as watch:
        url = watch.server.admin_url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 12 AS number")
        watch.kill()
        watch.wait_back(1)
        assert watch.reported[0] == f"PostgreSQL has ended (by signal SIGKILL). Starting it again; its log is {watch.server.log}"
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (12,)


def test_who_ends_again_and_again_is_given_up(folder: Path) -> None:
    with watched(folder, attempts=2) as watch:
        for times in (1, 2):
            watch.kill()
            watch.wait_back(times)
        watch.kill()
        watch.thread.join(20)
        said = str(watch.error)
        assert "PostgreSQL does not stay up: it was started again 2 times" in said
        assert "by signal SIGKILL" in said
        assert str(watch.server.log) in said
        assert "MB free" in said


def test_who_cannot_start_is_given_up_with_the_reason_from_its_log(folder: Path) -> None:
    with watched(folder, attempts=2) as watch:
        (watch.server.data_dir / "cluster" / "global" / "pg_control").unlink()
        watch.kill()
        watch.thread.join(60)
        assert "did not start (attempt 2 of 2)" in watch.reported[-1]
        assert "pg_control" in str(watch.error)
        assert not watch.server.is_running


def test_who_has_run_long_enough_has_all_attempts_again(folder: Path) -> None:
    with watched(folder, attempts=1, steady_seconds=0.0) as watch:
        for times in (1, 2, 3):
            watch.kill()
            watch.wait_back(times)
        assert watch.error is None
