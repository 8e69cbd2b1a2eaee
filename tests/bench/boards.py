"""What live boards cost and how fast they are, with the platform deployed as processes.

`python -m tests.bench.boards` prints a table; `--streams`, `--seconds` and `--journeys` make it shorter. It brings its own
PostgreSQL and RabbitMQ and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from tests.platform.client import Answer, Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, Hall
from tests.processes import CHECKOUT, ServiceProcess, eventually

STREAMS = "mpp_http_streams"


def stream_path(hall: Hall) -> str:
    """Where a hall's board is streamed."""
    return f"{hall.path}/sites/{hall.site}/board/stream"


class StreamCrowd:
    """Readers of a board in a process of their own."""

    def __init__(self, port: int, path: str, count: int, seconds: float, output: Path) -> None:
        arguments = [str(port), path, str(count), str(seconds), str(output)]
        self._output = output
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.stream_client", *arguments], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )

    def wait_open(self) -> int:
        """Wait until all streams have their first board; return how many."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the readers have failed"
        return int(line)

    def send(self, number: int) -> None:
        """Send a signal: SIGKILL as a crash, SIGSTOP for readers that do not read."""
        self._process.send_signal(number)

    def result(self) -> dict[str, Any]:
        """End it and return what it noted."""
        self._process.terminate()
        self._process.wait(60)
        self.close()
        found: dict[str, Any] = json.loads(self._output.read_text())
        found["received"] = {int(sequence): times for sequence, times in found["received"].items()}
        return found

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


@dataclass(frozen=True)
class Told:
    """A command's answer, by ticket and version, and when it had come (Unix time)."""

    ticket: str
    version: int
    at: float


class Work:
    """Journeys at a steady pace: citizens take numbers when it is time, each counter calls, starts and completes as soon as it can."""

    CITIZENS = 4
    """Clients that take the numbers; one would be late."""

    def __init__(
        self, platform: DeployedPlatform, hall: Hall, journeys_per_second: float, seconds: float, gateway: int | None = None
    ) -> None:
        self._platform, self._hall = platform, hall
        self._interval, self._total = 1 / journeys_per_second, int(journeys_per_second * seconds)
        self._numbers, self._calls = count(), count()
        self._taken = threading.Semaphore(0)
        self._gateway = gateway
        self.told: list[Told] = []
        self.late = 0
        self.seconds = 0.0
        self.errors: list[BaseException] = []
        self._officer = f"officer@{hall.regency}"
        platform.token(self._officer)

    @property
    def pace(self) -> float:
        """Journeys that were completed per second."""
        return self._total / self.seconds

    def run(self) -> None:
        """Do all of them; raises the first error."""
        self._began = time.monotonic()
        threads = [threading.Thread(target=self._guarded, args=(self._citizen, None), daemon=True) for _ in range(self.CITIZENS)]
        threads += [threading.Thread(target=self._guarded, args=(self._counter, c), daemon=True) for c in self._hall.counters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.monotonic() - self._began
        if self.errors:
            raise self.errors[0]

    def _guarded(self, work: Callable[[Client, str], None], counter: str | None) -> None:
        client = self._platform.client(self._officer if counter else None, gateway=self._gateway)
        try:
            work(client, counter or "")
        except BaseException as error:  # noqa: BLE001 - raised again by run()
            self.errors.append(error)
        finally:
            client.close()

    def _citizen(self, citizen: Client, _: str) -> None:
        wanted = {"site": self._hall.site, "service": self._hall.services[0], "channel": "web"}
        while (number := next(self._numbers)) < self._total:
            ahead = self._began + number * self._interval - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            self.late += ahead < -1.0
            self._tell(citizen.command(f"{self._hall.path}/tickets", wanted))
            self._taken.release()

    def _counter(self, staff: Client, counter: str) -> None:
        while next(self._calls) < self._total:
            while not self._taken.acquire(timeout=1.0):
                if self.errors:
                    return
            called = staff.command(f"{self._hall.path}/counters/{counter}/call-next")
            self._tell(called)
            for step in ("start", "complete"):
                self._tell(staff.command(f"{self._hall.path}/tickets/{called.body['id']}/{step}", {} if step == "complete" else None))

    def _tell(self, answer: Answer) -> None:
        assert answer.status in (200, 201), answer
        self.told.append(Told(answer.body["id"], answer.body["version"], answer.at + answer.seconds))


@dataclass(frozen=True)
class Delays:
    """Seconds, sorted."""

    seconds: list[float]

    def at(self, share: float) -> float:
        """The delay that this share of all did not exceed."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

    def __str__(self) -> str:
        shares = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
        figures = [f"{name} {self.at(share) * 1000:.0f} ms" for share, name in shares]
        return f"{', '.join(figures)}, longest {self.seconds[-1] * 1000:.0f} ms ({len(self.seconds):,} measured)"


def delays(platform: DeployedPlatform, hall: Hall, told: Sequence[Told], received: dict[int, list[float]]) -> tuple[Delays, Delays]:
    """How long after the answer, and after the event's own time, each change was seen on each stream.

    A change is seen with the first board of its sequence or a later one: a slow stream skips.
    """
    log = platform.event_log(hall.regency, f"/regencies/{hall.regency}/ticketing/sites/{hall.site}")
    events = {}
    for event in log:
        if event["type"].startswith("mpp.ticket."):
            ticket = event["data"]["ticket"]
            events[ticket["id"], ticket["version"]] = int(event["sequence"]), datetime.fromisoformat(event["time"]).timestamp()
    shown, after_answer, after_event = sorted(received), [], []
    index = 0
    for sequence, at, time_of_event in sorted((events[t.ticket, t.version][0], t.at, events[t.ticket, t.version][1]) for t in told):
        while index < len(shown) and shown[index] < sequence:
            index += 1
        assert index < len(shown), f"change {sequence} was never shown"
        after_answer += [seen - at for seen in received[shown[index]]]
        after_event += [seen - time_of_event for seen in received[shown[index]]]
    return Delays(sorted(after_answer)), Delays(sorted(after_event))


def resident_megabytes(process: ServiceProcess) -> float:
    """Memory of a process."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def processor_seconds(process: ServiceProcess) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def crowd(platform: DeployedPlatform, hall: Hall, readers: int, seconds: float, name: str = "crowd") -> Iterator[StreamCrowd]:
    """Readers at the first gateway, gone afterwards."""
    reading = StreamCrowd(platform.http_ports[0], stream_path(hall), readers, seconds, platform.folder / f"{name}.json")
    try:
        yield reading
    finally:
        reading.close()


def streams_of(gateway: ServiceProcess, expected: int, within: float) -> float:
    """Wait until a gateway has so many streams; return the seconds that it took."""
    started = time.monotonic()
    eventually(lambda: gateway.metric(STREAMS) == expected, within=within, every=0.2)
    return time.monotonic() - started


def many_streams(platform: DeployedPlatform, hall: Hall, readers: int, seconds: float, journeys: float) -> list[tuple[str, str]]:
    """So many streams on one gateway, while work goes on; then half of them die and the others stop reading."""
    gateway = platform.gateways[0]
    platform.client(gateway=0).get(stream_path(hall).removesuffix("/stream"))
    before = resident_megabytes(gateway)
    half = readers // 2
    with (
        crowd(platform, hall, half, seconds * 2 + 120) as first,
        crowd(platform, hall, readers - half, seconds * 2 + 120, "second") as second,
    ):
        started = time.monotonic()
        assert first.wait_open() + second.wait_open() == readers
        opening = time.monotonic() - started
        work, used, began = Work(platform, hall, journeys, seconds, gateway=1), processor_seconds(gateway), time.monotonic()
        memory = [resident_megabytes(gateway)]
        working = threading.Thread(target=work.run)
        working.start()
        while working.is_alive():
            working.join(5.0)
            memory.append(resident_megabytes(gateway))
        assert not work.errors, work.errors[0]
        share = (processor_seconds(gateway) - used) / (time.monotonic() - began)
        time.sleep(3.0)  # the last change is on its way
        found = first.result()
        assert (found["begun"], found["open"]) == (half, half), "streams ended by themselves"
        released = streams_of(gateway, readers - half, 60)
        after_answer, after_event = delays(platform, hall, work.told, found["received"])
        second.send(signal.SIGKILL)
        killed = streams_of(gateway, 0, 60)
    return [
        ("streams on one gateway", f"{readers:,}"),
        ("until all had their first board", f"{opening:.1f} s"),
        ("commands during the measurement", f"{len(work.told)} in {seconds:g} s"),
        ("boards received by each reader, about", f"{sum(map(len, found['received'].values())) // half}"),
        ("change seen after the command's answer", str(after_answer)),
        ("change seen after the event's time", str(after_event)),
        ("processor of the gateway", f"{share * 100:.0f} % of one core"),
        ("memory before, with all streams, at most, at the end", f"{before:.0f}, {memory[0]:.0f}, {max(memory):.0f}, {memory[-1]:.0f} MB"),
        ("released after readers hung up / were killed", f"{released:.1f} s / {killed:.1f} s"),
    ]


def readers_that_stop(platform: DeployedPlatform, hall: Hall, readers: int, seconds: float) -> list[tuple[str, str]]:
    """Readers that neither read nor hang up: the gateway gives them up, and nobody else notices."""
    gateway = platform.gateways[0]
    with crowd(platform, hall, readers, seconds * 2 + 120) as frozen:
        frozen.wait_open()
        frozen.send(signal.SIGSTOP)
        work = Work(platform, hall, 10, seconds, gateway=1)
        started = time.monotonic()
        work.run()
        streams_of(gateway, 0, 60)
        return [("readers that stopped reading while boards changed, given up after", f"{time.monotonic() - started:.0f} s")]


def journeys_seen(platform: DeployedPlatform, hall: Hall, journeys: float, seconds: float) -> list[tuple[str, str]]:
    """How soon a journey's steps are on the walls, with a few streams on the first gateway and work through both."""
    with crowd(platform, hall, 10, seconds * 3 + 60, "few") as few:
        few.wait_open()
        used, began = processor_seconds(platform.gateways[0]), time.monotonic()
        work = Work(platform, hall, journeys, seconds)
        work.run()
        share = (processor_seconds(platform.gateways[0]) - used) / (time.monotonic() - began)
        time.sleep(3.0)  # the last change is on its way
        found = few.result()
    after_answer, after_event = delays(platform, hall, work.told, found["received"])
    done = f"{work.pace:.1f}/s done ({len(work.told)} commands; {work.late} began over 1 s late)"
    return [
        ("journeys", f"{journeys:g}/s wanted for {seconds:g} s, {done}"),
        ("step seen after the command's answer", str(after_answer)),
        ("step seen after the event's time", str(after_event)),
        ("processor of the first gateway", f"{share * 100:.0f} % of one core"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--journeys", type=float, default=20.0, help="per second")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mpp-bench-"))
    folder.chmod(0o711)
    environment = {"MPP_MOST_STREAMS_PER_CLIENT": "9000"}  # all readers share one address
    with PostgresServer(folder / "postgres", durable=True) as postgres, RabbitMQServer(folder / "rabbitmq") as rabbitmq:
        with DeployedPlatform(folder / "platform", postgres, rabbitmq, gateway_environment=environment) as platform:
            rows = journeys_seen(platform, OKU_TIMUR, options.journeys, options.seconds)
            rows += many_streams(platform, OKU_TIMUR, options.streams, options.seconds, journeys=0.5)
            rows += readers_that_stop(platform, OKU_TIMUR, min(200, options.streams), 20.0)
        rabbitmq.kill()
    sys.stdout.write("\n| what | measured |\n| --- | --- |\n" + "".join(f"| {what} | {figure} |\n" for what, figure in rows))


if __name__ == "__main__":
    main()
