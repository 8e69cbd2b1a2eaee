"""The operator's handbook is true: what stands in it is run, page by page, against a platform that is at work."""

from __future__ import annotations

import configparser
import re
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from deploy.parts import PARTS
from tests.handbook.desk import Desk
from tests.handbook.pages import LANGUAGES, OPERATIONS, PAGES, all_blocks, blocks
from tests.platform.embedded import EmbeddedPlatform
from tests.processes import CHECKOUT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CALM = [page for page in PAGES if blocks(page, "sh") and page not in ("install", "native", "repair")]
"""Pages that need nothing but an installed platform. `native` has a test of its own: tests/integration/deploy/test_native.py."""

GIVEN_UP = str(uuid.uuid4())


@pytest.fixture(scope="module")
def platform(server_folder: Path) -> Iterator[EmbeddedPlatform]:
    """A platform that nobody else uses: pages restore, rebuild and add regencies."""
    with EmbeddedPlatform(server_folder / "handbook", broker="rabbitmq") as platform:
        yield platform


@pytest.fixture(scope="module")
def variables(platform: EmbeddedPlatform) -> dict[str, str]:
    """Its variables, by which a page's commands reach it."""
    lines = (platform.data_dir / "environment").read_text().splitlines()
    return dict(shlex.split(line)[0].split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.fixture(scope="module")
def desk(platform: EmbeddedPlatform, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("handbook"), variables, f"http://127.0.0.1:{platform.port}")


@pytest.fixture(scope="module")
def password(desk: Desk) -> str:
    """What the operator chose while following the page about installing."""
    said = desk.run(*blocks("install", "sh"), 'echo "PASSWORD $PASSWORD"')
    assert '"token_type"' in said, "the operator can sign in"
    return said.rpartition("PASSWORD ")[2].strip()


def test_every_block_is_in_a_language_that_a_test_runs():
    assert {language for page in PAGES for language, _text in all_blocks(page)} == LANGUAGES
    for page in PAGES:
        bare = re.sub(r"```.*?```", "", (OPERATIONS / f"{page}.md").read_text(), flags=re.DOTALL)
        assert "\n    mpp " not in bare, "an indented command that nobody runs"


def test_the_page_about_installing_sets_every_secret(desk, password):
    kept = dict(line.split("=", 1) for line in (desk.folder / ".env").read_text().splitlines() if re.match(r"[A-Z_]+=", line))
    required = set(re.findall(r"\$\{([A-Z_]+):\?", (CHECKOUT / "docker-compose.yml").read_text()))
    assert {name for name in required if not kept[name]} == set()
    assert kept["MPP_SITE_ADDRESS"] == "antrean.example.go.id"
    drawn = [kept[name] for name in required if name != "MPP_SITE_ADDRESS"]
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in drawn)
    assert (desk.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert len(password) == 32


@pytest.mark.parametrize("page", CALM)
def test_a_page_can_be_followed(platform, desk, password, page):
    said = desk.run(*blocks(page, "sh"), PASSWORD=password)
    if page == "backup":
        assert said.count("restored") >= 2
        assert "Nothing was changed" in said
    if page == "secrets":
        assert re.search(r"^MPP_ENCRYPTION_KEYS=[0-9a-f]{64}$", (desk.folder / ".env").read_text(), re.MULTILINE)
    issued = platform.client().post("/v1/lampung-timur/tickets", {"site": "sukadana", "service": "CPL-KTP", "channel": "web"})
    assert issued.status == 201, "the platform works on"


def test_dead_letters_are_shown_and_tried_again(desk, password, variables):
    """There is one to be found: an event that nobody could handle."""
    administrator = variables["MPP_ADMIN_DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{administrator}/reporting") as connection:
        connection.execute(
            "INSERT INTO lampung_timur.inbox (consumer, source, sequence, event_id, type, status, received_at, attempts, reason, payload)"
            " VALUES ('reporting.ticketing', '/regencies/lampung-timur/ticketing/sites/sukadana', 9000000, %s, 'ticket.issued', 'dead',"
            " now(), 8, 'a fault', '{}')",
            [GIVEN_UP],
        )
    said = desk.run(*blocks("repair", "sh"))
    assert f"{GIVEN_UP}  reporting" in said
    assert "1 consumer(s) will try again" in said


def test_a_command_that_is_not_known_fails(desk, password):
    wrong = ("up --fast", "up -d nobody", "up --scale proxy=2", "--profile nothing up", "run --rm -T postgres sh", "explode")
    for command in (*(f"docker compose {each}" for each in wrong), "docker swarm init", "reboot"):
        with pytest.raises(AssertionError, match=r"status (64|127)"):
            desk.run(command)


# --- what is started by others: systemd and cron


def test_what_runs_every_night_is_what_the_page_says():
    command = next(line for line in blocks("backup", "sh")[0].splitlines() if "create" in line).removeprefix("FILE=$(").removesuffix(")")
    assert unit("mpp-backup.service")["Service"]["ExecStart"] == f"/usr/bin/{command}"
    assert "OnCalendar" in unit("mpp-backup.timer")["Timer"]
    minute, hour, *days, user, entry = blocks("backup", "cron")[0].strip().split(maxsplit=6)
    assert (int(minute), int(hour), days, user) == (30, 1, ["*", "*", "*"], "root")
    assert entry == f"cd /srv/mpp && {command} > /dev/null"


def test_a_part_under_systemd_is_started_and_stopped_as_in_a_container():
    service = unit("mpp@.service")["Service"]
    compose = yaml.safe_load(re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", "x", (CHECKOUT / "docker-compose.yml").read_text()))["services"]
    for part in PARTS:
        started = service["ExecStart"].replace("${MPP_PART}", part).split()
        assert started == ["/srv/mpp/.venv/bin/mpp", *compose[part]["command"]]
        assert service["TimeoutStopSec"] == compose[part]["stop_grace_period"].removesuffix("s")
    assert service["EnvironmentFile"] == "/etc/mpp/%i.env"
    assert service["Environment"] == "MPP_PART=%i"


def unit(name: str) -> configparser.ConfigParser:
    """A unit file of systemd."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((OPERATIONS / name).read_text())
    return parser
