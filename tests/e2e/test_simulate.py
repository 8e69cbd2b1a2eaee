"""`mpp simulate` as an operator runs it: a small day on the embedded platform, its end by Ctrl-C, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.servers.ports import free_port
from tests.platform.client import Client
from tests.platform.embedded import EmbeddedPlatform, environment
from tests.platform.journeys import OKU_TIMUR, take_number
from tests.processes import CHECKOUT, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

MPP = str(Path(sys.executable).with_name("mpp"))
MARTAPURA, SANGATTA = ("oku-timur", "martapura"), ("kutai-timur", "sangatta")
AGREE = "The reports of the platform agree with all that was played."


def simulate(platform: EmbeddedPlatform, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [MPP, "simulate", "--url", f"http://127.0.0.1:{platform.port}", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=environment(**variables), capture_output=True, text=True, timeout=120, check=False)


def totals(printed: str) -> dict[str, int]:
    """Figures of the table's only or last line."""
    heads, *rows = [line for line in printed.splitlines() if re.match(r"site  |[a-z-]+/[a-z-]+ |all  ", line)]
    names = re.split(r"\s{2,}", heads)
    return dict(zip(names[2:9], (int(word) for word in rows[-1].split() if word.isdigit()), strict=False))


def report(client: Client, regency: str, site: str) -> dict[str, Any]:
    return client.get(f"/v1/{regency}/reports/daily?site={site}").body


OPEN = ("waiting", "called", "serving")


def still_open(*reports: dict[str, Any]) -> int:
    """How many tickets of these days have not come to their end."""
    return sum(told[state] for told in reports for state in OPEN)


def test_a_day_is_played_and_the_reports_agree(embedded_platform: EmbeddedPlatform):
    """Whoever else waits at these sites, or stands at a counter, is called and served too, and told apart."""
    sites = {regency: (embedded_platform.client(f"officer@{regency}"), site) for regency, site in (MARTAPURA, SANGATTA)}

    def reports() -> dict[str, dict[str, Any]]:
        return {regency: report(officer, regency, site) for regency, (officer, site) in sites.items()}

    issued = reports()["oku-timur"]["issued"]
    left = take_number(embedded_platform.client(), OKU_TIMUR, "PTS-IZN").body
    before = eventually(lambda: (told := reports())["oku-timur"]["issued"] > issued and told)
    strangers = still_open(*before.values())
    played = simulate(
        embedded_platform, "--regency", "oku-timur", "--regency", "kutai-timur", "--journeys", "25", "--speed", "max", "--seed", "5"
    )
    assert (played.returncode, AGREE in played.stdout) == (0, True), played.stdout + played.stderr
    told = totals(played.stdout)
    after = reports()
    assert all(after[regency]["visits"]["total"] - before[regency]["visits"]["total"] == 25 for regency in sites)
    several = sum(after[regency]["visits"]["several_legs"] - before[regency]["visits"]["several_legs"] for regency in sites)
    assert several > 0, "somebody wanted two services"
    assert still_open(*after.values()) == 0, "nobody is left, at no counter either"
    assert told["issued"] == sum(after[regency]["issued"] - before[regency]["issued"] for regency in sites) == 50 + several
    assert told["completed"] + told["no-show"] + told["cancelled"] == 50 + several + strangers, "those issued, and whoever was there before"
    assert told["waiting"] == 0
    assert min(told[what] for what in ("no-show", "recalls", "surveys")) > 0, told
    assert {lane["lane"] for lane in after["oku-timur"]["by_lane"]} == {"regular", "priority"}
    ended = sites["oku-timur"][0].get(f"/v1/oku-timur/tickets/{left['id']}").body["status"]
    assert ended in ("completed", "no_show"), "whoever waits is called"
    assert f"Numbers of others that were called too: {strangers};" in played.stdout


def show(terminal: int, shown: list[bytes]) -> None:
    """Read what is written to a terminal until its last writer is gone; one that nobody reads holds its writers up."""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65_536):
            shown.append(chunk)
    os.close(terminal)


@contextlib.contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """What is started inside heeds Ctrl-C, even if these tests were started in the background, where a shell lets them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_it_with_the_summary_and_nobody_left_at_a_counter(embedded_platform: EmbeddedPlatform, tmp_path: Path):
    officer = embedded_platform.client("officer@lampung-timur")

    def at_sukadana() -> dict[str, Any]:
        return report(officer, "lampung-timur", "sukadana")

    before = at_sukadana()
    command = [MPP, "simulate", "--url", f"http://127.0.0.1:{embedded_platform.port}", "--regency", "lampung-timur", "--speed", "1200"]
    ours, theirs = pty.openpty()
    terminal: list[bytes] = []
    reader = threading.Thread(target=show, args=(ours, terminal))
    output = tmp_path / "output"
    with output.open("wb") as stdout, heeding_ctrl_c():
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment(), stdout=stdout, stderr=theirs, process_group=0)
    os.close(theirs)
    reader.start()
    try:
        eventually(lambda: (now := at_sukadana())["issued"] > before["issued"] and now["serving"] > 0, within=60)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
        reader.join()
    shown = b"".join(terminal).decode()
    assert "Visitors  [" in shown
    assert "Stopping" in shown
    printed = output.read_text()
    assert AGREE in printed
    assert totals(printed)["waiting"] > 0, "the day was not over"
    after = at_sukadana()
    # Whom others had left at a counter may have been served too.
    assert all(after[state] <= before[state] for state in ("called", "serving"))


def test_an_outage_delays_it_and_nothing_is_done_twice(embedded_platform: EmbeddedPlatform, tmp_path: Path):
    before = report(embedded_platform.client("officer@oku-timur"), "oku-timur", "martapura")["visits"]["total"]
    command = [MPP, "simulate", "--url", f"http://127.0.0.1:{embedded_platform.port}", "--regency", "oku-timur", "--speed", "max"]
    output = tmp_path / "output"
    with output.open("wb") as stdout:
        process = subprocess.Popen(
            [*command, "--journeys", "60", "--officer", "operator@platform", "--kiosk", "operator@platform"],
            cwd=CHECKOUT,
            env=environment(),
            stdout=stdout,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: "of 60 visitors" in output.read_text(), within=60)
        embedded_platform.interrupt()
        embedded_platform.start()
        assert process.wait(90) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    printed = output.read_text()
    assert AGREE in printed
    assert re.search(r"[1-9][0-9]* requests repeated", printed), printed
    assert report(embedded_platform.client("officer@oku-timur"), "oku-timur", "martapura")["visits"]["total"] - before == 60


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (("--regency", "nirwana"), {}, "has no regency nirwana; it lists bolaang-mongondow-utara"),
        ((), {"MPP_SIMULATION_PASSWORD": "wrong"}, "officer@bolaang-mongondow-utara cannot sign in"),
        (("--regency", "oku-timur", "--officer", "nobody"), {}, "nobody@oku-timur cannot sign in"),
        (("--url", f"http://127.0.0.1:{free_port()}"), {}, "connection refused"),
        (("--url", "127.0.0.1:8000"), {}, "is no address of a gateway"),
    ],
)
def test_why_it_cannot_begin_is_told_in_a_sentence(embedded_platform: EmbeddedPlatform, arguments: Any, variables: Any, told: str):
    done = simulate(embedded_platform, *arguments, **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith("Error: ")
    assert told in done.stderr
