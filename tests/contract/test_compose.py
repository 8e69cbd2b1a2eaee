"""docker-compose.yml is a Compose file by the specification's own schema, for Compose as it reads it and as people write it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.platform.compose import FILE, ComposeError, ComposeFile, ComposeService, interpolated, new_env

pytestmark = pytest.mark.contract

SCHEMA = json.loads((Path(__file__).parent / "compose" / "compose-spec.json").read_text())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ComposeFile:
    return ComposeFile.of(new_env(tmp_path_factory.mktemp("operator"), "antrean.example.go.id"))


def errors(document: Any) -> list[str]:
    return [
        f"{'/'.join(str(step) for step in error.absolute_path)}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(document)
    ]


def test_the_file_with_its_variables_is_valid(file: ComposeFile):
    Draft7Validator.check_schema(SCHEMA)
    assert errors(file.document) == []


def test_the_file_as_written_is_valid():
    assert errors(yaml.safe_load(FILE.read_text())) == []


def test_the_readme_s_override_is_valid_and_of_services_that_exist(file: ComposeFile):
    section = (FILE.parent / "README.md").read_text().partition("## On a server\n")[2].partition("\n## ")[0]
    override = yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])
    assert errors(override) == []
    assert override["services"].keys() <= file.document["services"].keys()


@pytest.mark.parametrize(
    "mistake",
    [
        {"services": {"gateway": {"image": "mpp", "memory_limit": "1g"}}},
        {"services": {"gateway": {"image": "mpp", "depends_on": {"migrate": {"condition": "service_done"}}}}},
        {"services": {"gateway": {"image": "mpp", "healthcheck": {"test": ["CMD", "true"], "period": "1s"}}}},
        {"services": {"gateway": {"image": "mpp"}}, "network": {"front": {}}},
    ],
)
def test_the_schema_finds_a_slip_of_the_pen(mistake: Any):
    assert errors(mistake)


def test_nothing_is_left_to_replace(file: ComposeFile):
    assert "${" not in json.dumps(file.document)


def test_every_network_volume_and_service_that_is_named_is_there_and_every_one_there_is_used(file: ComposeFile):
    services: list[ComposeService] = list(file)
    assert set().union(*(service.networks for service in services)) == file.document["networks"].keys()
    assert {name for service in services for name in service.needs} <= {service.name for service in services}
    mounted = {volume.split(":")[0] for service in services for volume in service.raw.get("volumes", [])}
    assert {name for name in mounted if not name.startswith(("./", "/"))} == file.document["volumes"].keys()
    assert all((FILE.parent / name).exists() for name in mounted if name.startswith("./"))


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("${SET}", "yes"),
        ("${EMPTY}", ""),
        ("${UNSET}", ""),
        ("a${UNSET-b}c", "abc"),
        ("${EMPTY-b}", ""),
        ("${EMPTY:-b}", "b"),
        ("${EMPTY?why}", ""),
        ("$${SET}", "${SET}"),
        ("${SET:?why}", "yes"),
    ],
)
def test_variables_are_replaced_as_compose_does(text: str, becomes: str):
    assert interpolated({"a": [text, 1]}, {"SET": "yes", "EMPTY": ""}) == {"a": [becomes, 1]}


@pytest.mark.parametrize("text", ["${UNSET:?set it in .env}", "${EMPTY:?set it in .env}", "${UNSET?set it in .env}", "$5"])
def test_what_is_missing_or_no_variable_is_refused(text: str):
    with pytest.raises(ComposeError):
        interpolated(text, {"EMPTY": ""})
