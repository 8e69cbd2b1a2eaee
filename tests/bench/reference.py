"""What the machine can do at all, in the same run: figures of the platform are compared with these, not with other machines."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass

from amqp import Connection, Message

from deploy.servers.account import server_account
from deploy.servers.postgres import PostgresServer
from deploy.servers.postgres_binaries import binaries_for
from deploy.servers.rabbitmq import RabbitMQServer
from tests.bench.accounting import Books

SCALE = 20
"""100,000 accounts each: 2,000,000 rows, some 300 MB; more branches than clients, so that they do not wait for each other's rows."""
CLIENTS = 8
THREADS = 1
"""Of pgbench itself, which needs less than half a core."""

DATABASE = "pgbench"
QUEUE = "bench.reference"
MESSAGE_BYTES = 1_000
"""About an event of a ticket."""
UNCONFIRMED = 500


@dataclass(frozen=True)
class Reference:
    """TPC-B transactions a second, processor milliseconds of PostgreSQL in each, and messages published and confirmed a second."""

    pgbench_per_second: float
    pgbench_postgres_ms: float
    messages_per_second: float
    message_rabbitmq_ms: float


def measure(postgres: PostgresServer, rabbitmq: RabbitMQServer, seconds: float) -> Reference:
    """Measure both, one after the other, for so long each."""
    books = Books({"postgres": [running(postgres.pid)]})
    transactions = _pgbench(postgres, "-c", str(CLIENTS), "-j", str(THREADS), "-T", str(max(1, round(seconds))))
    done = int(_figure(r"transactions actually processed: (\d+)", transactions))
    transaction_ms = books.spent()["postgres"] * 1000 / done
    books = Books({"rabbitmq": [running(rabbitmq.pid)]})
    messages, took = _publish(rabbitmq, seconds / 2)
    message_ms = books.spent()["rabbitmq"] * 1000 / messages
    return Reference(_figure(r"tps = ([\d.]+)", transactions), transaction_ms, messages / took, message_ms)


def prepare(postgres: PostgresServer) -> None:
    """Fill pgbench's database, unless it is there."""
    listed = _psql(postgres, "postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}'")
    if listed.strip() != "1":
        _psql(postgres, "postgres", f"CREATE DATABASE {DATABASE}")
        _pgbench(postgres, "-i", "-q", "-s", str(SCALE))
    _psql(postgres, "postgres", "CHECKPOINT")


def _pgbench(postgres: PostgresServer, *arguments: str) -> str:
    return _run(postgres, "pgbench", *arguments, DATABASE)


def _psql(postgres: PostgresServer, database: str, statement: str) -> str:
    return _run(postgres, "psql", "-X", "-A", "-t", "-c", statement, database)


def _run(postgres: PostgresServer, program: str, *arguments: str) -> str:
    binaries = binaries_for(server_account(postgres.data_dir / "cluster"), postgres.data_dir)
    login = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port), "PGUSER": "mpp_admin", "PGPASSWORD": postgres.password}
    done = subprocess.run(
        [str(binaries / program), *arguments],
        env={"PATH": os.environ.get("PATH", ""), **login},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} has failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _figure(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"pgbench prints something else than expected: {text[-500:]}")
    return float(found[1])


def _publish(rabbitmq: RabbitMQServer, seconds: float) -> tuple[int, float]:
    """Publish persistent messages to a quorum queue, with up to `UNCONFIRMED` on their way; return how many in how many seconds."""
    confirmed = 0

    def count(delivery_tag: int, multiple: bool) -> None:
        nonlocal confirmed
        confirmed = max(confirmed, delivery_tag) if multiple else confirmed + 1

    connection = Connection(
        host=f"127.0.0.1:{rabbitmq.port}", userid=rabbitmq.user, password=rabbitmq.password, virtual_host="/", confirm_publish=False
    )
    connection.connect()
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        channel.confirm_select()
        channel.events["basic_ack"].add(count)
        body, published, begun = "x" * MESSAGE_BYTES, 0, time.perf_counter()
        while time.perf_counter() < begun + seconds:
            while published - confirmed < UNCONFIRMED:
                channel.basic_publish(Message(body, delivery_mode=2), routing_key=QUEUE)
                published += 1
            connection.drain_events(timeout=10)
        while confirmed < published:
            connection.drain_events(timeout=10)
        took = time.perf_counter() - begun
        channel.queue_delete(QUEUE)
    finally:
        connection.close()
    return published, took


def running(pid: int | None) -> int:
    """Return the process id of a server that has one."""
    if pid is None:
        raise RuntimeError("a server has ended")
    return pid
