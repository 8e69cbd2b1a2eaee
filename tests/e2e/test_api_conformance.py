"""The API does what its OpenAPI document says, whatever is sent: schemathesis walks all routes as different callers."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.routes import ROUTES
from tests.platform.deployment import OPERATOR, DeployedPlatform
from tests.platform.journeys import Hall, take_number
from tests.processes import CHECKOUT

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.first]

Figures = Callable[[str], None]

ANSWERS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
"""No 5xx, no status, media type, header or body that the document does not describe."""

REQUESTS = "negative_data_rejection,missing_required_header,unsupported_method,allow_header_conformance,ignored_auth"
"""What breaks the document is refused; what needs a token is not done without one."""

STREAMS = [route.operation_id for route in ROUTES if route.streams]
"""Answers without an end: schemathesis would wait for it. Their own tests look at them."""

SEED = 20250611
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
"""How long requests are made up at random, by all callers together."""

MANY = 200
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
METHODS = {"get", "post", "put", "patch", "delete"}
TRIAL = Hall("uji-coba", "sangatta", ("PTS-INF", "UMK-INF"), ("sangatta-01", "sangatta-02"))
"""A regency in which anything may be broken."""

ADMINISTRATOR = f"admin@{TRIAL.regency}"


@pytest.fixture(scope="module")
def existing(deployed_platform: DeployedPlatform) -> dict[str, Any]:
    """Names of things that exist in a regency made for this, tickets in several states among them."""
    kutai_timur = next(document for document in deployed_platform.documents if document["regency"]["id"] == "kutai-timur")
    deployed_platform.join({**kutai_timur, "regency": {**kutai_timur["regency"], "id": TRIAL.regency, "code": "64.99"}})
    citizen, officer = deployed_platform.client(), deployed_platform.client(f"officer@{TRIAL.regency}")
    tickets = [take_number(citizen, TRIAL, service).body["id"] for service in TRIAL.services * 8]
    for counter in TRIAL.counters:
        assert officer.post(f"{TRIAL.path}/counters/{counter}/call-next").status == 200
    names = {"site": TRIAL.site, "service": TRIAL.services, "agency": ["PTS", "UMK"], "counter": TRIAL.counters}
    ids = {
        "tickets": tickets,
        "sites": TRIAL.site,
        "agencies": ["PTS", "UMK"],
        "services": TRIAL.services,
        "counters": TRIAL.counters,
        "accounts": f"auditor@{TRIAL.regency}",
        "devices": f"display@{TRIAL.regency}",
    }
    return {"regency": TRIAL.regency, "names": names, "ids": ids}


@pytest.fixture(scope="module")
def nothing_but_the_regency(existing: dict[str, Any]) -> dict[str, Any]:
    """Everything as it was generated, in the regency made for this."""
    return {**existing, "names": {}, "ids": {}}


def schemathesis(
    platform: DeployedPlatform, account: str | None, phases: str, checks: str, existing: dict[str, Any], *options: str, seconds: float = 240
) -> str:
    """Run schemathesis; return what it prints, or fail with that."""
    address = f"http://127.0.0.1:{platform.http_ports[0]}/openapi.json"
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--no-color", "--config-file", str(CONFIGURATION),
        "run", address, "--checks", checks, "--phases", phases,
        "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off", "--output-truncate", "false", *options,
    ]  # fmt: skip
    for operation in STREAMS:
        command += ["--exclude-operation-id", operation]
    if account is not None:
        command += ["--header", f"Authorization: Bearer {platform.token(account)}"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.e2e.schemathesis_hooks", "EXISTING": json.dumps(existing)}
    variables = {"COLUMNS": "200", "PYTHONPATH": str(CHECKOUT), **hooks}
    done = subprocess.run(
        command, cwd=platform.folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert platform.client(account).get("/v1/regencies").status == 200, "signed out on the way: the rest was refused with 401"
    return done.stdout


def walk(platform: DeployedPlatform, account: str | None, phase: str, checks: str, examples: int, existing: dict[str, Any]) -> str:
    """Send something to every operation; return a summary."""
    said = schemathesis(platform, account, phase, checks, existing, "--max-examples", str(examples), "--seed", str(SEED))
    tested, cases = re.search(r"Tested: (\d+)", said), re.search(r"(\d+) generated", said)
    assert tested is not None
    assert cases is not None
    described = platform.client().get("/openapi.json").body["paths"]
    described.pop("/openapi.json")  # schemathesis does not turn the document on itself
    assert int(tested[1]) == sum(len(METHODS & set(path)) for path in described.values()) - len(STREAMS), (
        f"an operation was left out: {said}"
    )
    return f"{account or 'anonymous'}: {cases[1]} cases over {tested[1]} operations"


def test_the_document_describes_every_route(deployed_platform: DeployedPlatform):
    described = deployed_platform.client().get("/openapi.json").body["paths"]
    for route in ROUTES:
        assert described[route.path][route.method.lower()]["operationId"] == route.operation_id


def test_every_border_of_the_document(deployed_platform: DeployedPlatform, nothing_but_the_regency: dict[str, Any], figures: Figures):
    """Values just within and just beyond each limit, missing and doubled parameters, wrong methods, no token."""
    figures(walk(deployed_platform, ADMINISTRATOR, "coverage", f"{ANSWERS},{REQUESTS}", 20, nothing_but_the_regency))


@pytest.mark.parametrize(
    ("account", "examples"),
    [
        pytest.param(ADMINISTRATOR, 6, id="administrator"),
        pytest.param(OPERATOR, 3, id="operator"),
        pytest.param(f"officer@{TRIAL.regency}", 3, id="officer"),
        pytest.param(None, 3, id="nobody"),
        pytest.param(ADMINISTRATOR, 40, id="administrator-thoroughly", marks=pytest.mark.thorough),
        pytest.param(OPERATOR, 40, id="operator-thoroughly", marks=pytest.mark.thorough),
        pytest.param(f"officer@{TRIAL.regency}", 40, id="officer-thoroughly", marks=pytest.mark.thorough),
        pytest.param(None, 40, id="nobody-thoroughly", marks=pytest.mark.thorough),
    ],
)
def test_anything_about_things_that_exist(
    account: str | None, examples: int, deployed_platform: DeployedPlatform, existing: dict[str, Any], figures: Figures
):
    figures(walk(deployed_platform, account, "examples,fuzzing", ANSWERS, examples, existing))


@pytest.mark.parametrize(
    ("account", "examples"),
    [
        pytest.param(f"officer@{TRIAL.regency}", 30, id="officer"),
        pytest.param(ADMINISTRATOR, MANY, id="administrator-thoroughly", marks=pytest.mark.thorough),
        pytest.param(f"officer@{TRIAL.regency}", MANY, id="officer-thoroughly", marks=pytest.mark.thorough),
        pytest.param(None, MANY, id="nobody-thoroughly", marks=pytest.mark.thorough),
    ],
)
def test_whole_walks_along_the_documents_links(
    account: str | None, examples: int, deployed_platform: DeployedPlatform, existing: dict[str, Any], figures: Figures
):
    """What one answer holds is what the next request names: a number is taken, called, served; a site is read, then changed."""
    said = schemathesis(
        deployed_platform, account, "stateful", ANSWERS, existing, "--max-examples", str(examples), "--seed", str(SEED), "--no-shrink"
    )
    walks, links = re.search(r"Scenarios:\s+(\d+)", said), re.search(r"API Links:\s+(\d+) covered", said)
    assert walks is not None, said
    assert links is not None, said
    # Few walks may all end before their first link; which ones there are changes with every new operation.
    assert int(links[1]) > 0 or examples < MANY, "no link was followed"
    figures(f"{account or 'anonymous'}: {walks[1]} walks, {links[1]} links covered")


@pytest.mark.thorough
@pytest.mark.timeout(2 * SECONDS + 600)
@pytest.mark.parametrize(
    ("account", "share"), [(ADMINISTRATOR, 0.4), (f"officer@{TRIAL.regency}", 0.3), (None, 0.2), (OPERATOR, 0.1)], ids=str
)
def test_at_random_for_as_long_as_is_wished(
    account: str | None, share: float, deployed_platform: DeployedPlatform, existing: dict[str, Any], figures: Figures
):
    """New requests each time (`make fuzz-long`): what fails names its seed."""
    seconds, seed = max(20, int(SECONDS * share)), secrets.randbelow(2**32)
    options = ("--max-time", str(seconds), "--seed", str(seed), "--no-shrink")
    said = schemathesis(deployed_platform, account, "fuzzing,stateful", ANSWERS, existing, *options, seconds=seconds + 400)
    cases = re.search(r"(\d+) generated", said)
    assert cases is not None, said
    figures(f"{account or 'anonymous'}: {cases[1]} cases in {seconds} s, seed {seed}")


def test_the_platform_has_survived_it(deployed_platform: DeployedPlatform):
    """After thousands of strange requests all processes are ready, and nobody had to report a fault."""
    deployed_platform.wait_ready()
    for process in deployed_platform.processes:
        faults = [
            line for line in process.log.read_text(errors="replace").splitlines() if '"http_fault"' in line or '"call_failed"' in line
        ]
        assert not faults, f"{process.log.name}: {faults[:3]}"
