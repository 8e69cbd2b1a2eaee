"""The compose file says what `mpp run` needs, asks for nothing that does not exist, and confines every container."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.parts import PARTS
from services.chassis.settings import SERVICES, Settings
from tests.bench.installation import delivered_settings
from tests.platform.compose import CHECKOUT, FILE, ComposeFile, new_env, seconds, size

REQUIRED = {
    "ticketing": Settings.required_ticket_token_secret,
    "notification": Settings.required_encryption_keys,
    "catalog": Settings.required_token_secrets,
}
OWN_SECRETS = {
    "catalog": {"MPP_CATALOG_PASSWORD", "MPP_TOKEN_SECRET"},
    "ticketing": {"MPP_TICKETING_PASSWORD", "MPP_TICKET_TOKEN_SECRET", "MPP_PERSON_KEYS", "MPP_PERSON_HASH_KEYS"},
    "notification": {"MPP_NOTIFICATION_PASSWORD", "MPP_ENCRYPTION_KEYS"},
    "reporting": {"MPP_REPORTING_PASSWORD"},
    "gateway": set(),
}
STOP_LIMIT_SECONDS = 30  # services/chassis/process.py, which only a process of its own may import
NAMES = sorted(yaml.safe_load(FILE.read_text())["services"])


@pytest.fixture(scope="module")
def text() -> str:
    return FILE.read_text()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ComposeFile:
    return ComposeFile.of(new_env(tmp_path_factory.mktemp("operator")))


@pytest.fixture(scope="module")
def compose(file: ComposeFile) -> dict[str, Any]:
    return file.document


@pytest.mark.unit
@pytest.mark.parametrize("name", NAMES)
def test_every_container_is_confined_and_bounded(file: ComposeFile, name: str):
    service = file[name].raw
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["read_only"] is (name != "rabbitmq")
    assert service["logging"]["driver"] == "json-file"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}, "logs fill the disk"
    assert size(service["mem_limit"])
    assert "deploy" not in service, "limits stand in one place"
    assert "privileged" not in service
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


@pytest.mark.unit
@pytest.mark.parametrize("name", NAMES)
def test_what_runs_comes_back_and_says_whether_it_is_well(file: ComposeFile, name: str):
    service = file[name].raw
    if name in ("migrate", "backup"):  # end when they have done what they were asked for
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert seconds(check["timeout"]) <= seconds(check["interval"]) <= 30
    assert check["start_period"]


@pytest.mark.unit
@pytest.mark.parametrize("name", NAMES)
def test_images_of_others_are_pinned_to_a_version_and_ours_is_never_looked_for_elsewhere(file: ComposeFile, name: str):
    service = file[name].raw
    if name not in {*PARTS, "migrate", "backup"}:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"])
        assert service["image"].count(".") == (1 if name == "postgres" else 2)
        return
    assert service["image"] == "mpp"
    assert "build" in service or service["pull_policy"] == "never"


@pytest.mark.unit
def test_citizens_reach_the_proxy_and_the_proxy_reaches_nothing_but_gateways(file: ComposeFile):
    def together(name: str) -> set[str]:
        return {other.name for other in file if other.name != name and other.networks & file[name].networks}

    assert together("proxy") == {"gateway"}
    assert together("postgres") == {*SERVICES, "migrate", "backup"}
    assert together("grafana") == {"prometheus", "alertmanager", "blackbox"}
    assert "postgres" not in together("gateway") | together("prometheus")
    assert "rabbitmq" in together("prometheus")
    networks = file.document["networks"]
    internal = {name for name, network in networks.items() if network and network.get("internal")}
    for service in file:
        outward = service.networks - internal
        assert bool(outward) == bool("ports" in service.raw or service.name in ("notification", "catalog", "blackbox")), (
            f"{service.name}: {outward}"
        )


@pytest.mark.unit
def test_a_part_is_given_longer_to_stop_than_it_takes(file: ComposeFile):
    for part in PARTS:
        assert file[part].stop_grace > STOP_LIMIT_SECONDS
        assert file[part].raw["init"] is True


@pytest.mark.unit
def test_the_database_has_connections_for_many_replicas_and_the_memory_that_it_is_told(file: ComposeFile):
    settings = dict(part.removeprefix("-c").split("=") for part in file["postgres"].command[1:])
    of_each_process = 5  # services/chassis/database.py, counted in tests/e2e/test_composed.py
    kept_for_operators = 10  # migrate, seed, psql, and three that PostgreSQL keeps for itself
    assert (int(settings["max_connections"]) - kept_for_operators) // of_each_process == 38, "as the comment says"
    buffers, limit = _megabytes(settings["shared_buffers"]), file["postgres"].memory_limit // 2**20
    assert buffers * 4 <= limit, "backends need more than the cache"
    assert buffers < _megabytes(settings["effective_cache_size"]) < limit


@pytest.mark.unit
def test_the_database_is_told_the_same_with_and_without_containers(file: ComposeFile):
    told = dict(part.removeprefix("-c").split("=") for part in file["postgres"].command[1:])
    assert delivered_settings() == told


@pytest.mark.unit
def test_the_broker_stops_publishers_before_the_kernel_stops_it(file: ComposeFile):
    configuration = dict(re.findall(r"^([a-z_.]+) = (\S+)$", (CHECKOUT / "deploy/rabbitmq/mpp.conf").read_text(), re.MULTILINE))
    watermark = int(configuration["vm_memory_high_watermark.absolute"].removesuffix("MiB")) * 2**20
    assert watermark <= 0.6 * file["rabbitmq"].memory_limit
    assert file["rabbitmq"].raw["ulimits"]["nofile"] >= 65_536
    assert any("/etc/rabbitmq/conf.d/" in volume for volume in file["rabbitmq"].raw["volumes"])


def _megabytes(text: str) -> int:
    return int(text.removesuffix("MB"))


@pytest.mark.unit
@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_part_runs_with_the_settings_that_it_needs(file, part):
    service = file[part]
    assert service.command == ["run", part]
    settings = Settings.from_environment(service.environment)
    settings.required_broker_url()
    if part in SERVICES:
        assert settings.database_url(part).startswith(f"postgresql://{part}:")
    if part in REQUIRED:
        REQUIRED[part](settings)


@pytest.mark.unit
@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_holds_no_secret_of_another_and_nothing_hinders_scaling(compose, file, part):
    service = compose["services"][part]
    shared = {"RABBITMQ_PASSWORD"}  # one login for all parts
    secrets = {value: name for name, value in file.variables.items() if len(value) == 64}
    held = {name for secret, name in secrets.items() if any(secret in str(value) for value in service["environment"].values())}
    assert held - shared == OWN_SECRETS[part]
    assert "MPP_ADMIN_DATABASE_URL" not in service["environment"]
    assert [name for name in service["environment"] if name.endswith("DATABASE_URL")] == (
        [f"MPP_{part.upper()}_DATABASE_URL"] if part in SERVICES else []
    )
    assert "container_name" not in service
    assert "ports" not in service, "the proxy is the way in"


@pytest.mark.unit
def test_the_way_in_is_the_proxy_and_gateways_know_how_many_hops_away_citizens_are(compose, file):
    proxy = compose["services"]["proxy"]
    assert Settings.from_environment(file["gateway"].environment).trusted_proxies == 1
    assert proxy["read_only"]
    assert "./deploy/proxy/Caddyfile:/etc/caddy/Caddyfile:ro" in proxy["volumes"]
    public = {name for name, service in compose["services"].items() for port in service.get("ports", []) if "127.0.0.1" not in port}
    assert public == {"proxy"}


@pytest.mark.unit
def test_consumers_can_be_added_where_regencies_are(compose):
    broker, migrate = compose["services"]["rabbitmq"], compose["services"]["migrate"]["environment"]
    variables = {name: value for name, value in migrate.items() if name != "MPP_BROKER_PUBLIC_URL"}
    settings = Settings.from_environment(variables)
    assert "management" in broker["image"]
    assert settings.required_broker_management_url() == "http://rabbitmq:15672/"
    assert settings.broker_url.startswith(f"amqp://{broker['environment']['RABBITMQ_DEFAULT_USER']}:")
    assert all(port.startswith("127.0.0.1:") for port in broker["ports"]), "the broker speaks in clear to the whole network"


@pytest.mark.unit
def test_every_secret_is_asked_for_in_the_example_and_has_no_default(text):
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    example = (CHECKOUT / ".env.example").read_text()
    listed = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert asked == listed.keys()
    assert {name for name, value in listed.items() if value} == {"MPP_SITE_ADDRESS", "MPP_GRAFANA_URL", "ALERT_SMTP_TLS"}, (
        "a secret that everybody knows"
    )
    assert not re.findall(r"\$\{[A-Z_]+:-", text)


MONITORING = ("prometheus", "alertmanager", "blackbox", "grafana")


@pytest.mark.unit
@pytest.mark.parametrize("name", MONITORING)
def test_monitoring_is_asked_for_pinned_bounded_and_seen_from_this_host_only(compose, name):
    service = compose["services"][name]
    assert service["profiles"] == ["monitoring"]
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", service["image"])
    assert service["read_only"] is True
    assert service["mem_limit"]
    assert service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "container_name" not in service


@pytest.mark.unit
@pytest.mark.parametrize("name", MONITORING)
def test_what_monitoring_mounts_from_the_checkout_exists_and_cannot_be_written(compose, name):
    mounts = [volume.split(":") for volume in compose["services"][name]["volumes"]]
    from_checkout = [mount for mount in mounts if mount[0].startswith("./")]
    assert from_checkout
    for source, _target, mode in from_checkout:
        assert (CHECKOUT / source).exists()
        assert mode == "ro"
    assert {mount[0] for mount in mounts if mount not in from_checkout} <= set(compose["volumes"])


@pytest.mark.unit
def test_prometheus_finds_every_part_and_the_broker_by_the_names_of_their_services(compose):
    configuration = yaml.safe_load((CHECKOUT / "deploy/monitoring/prometheus.yml").read_text())
    jobs = {job["job_name"]: job["dns_sd_configs"][0] for job in configuration["scrape_configs"] if "dns_sd_configs" in job}
    assert set(jobs["mpp"]["names"]) == set(PARTS) <= set(compose["services"])
    assert jobs["mpp"]["port"] == Settings.from_environment({}).probe_port
    assert all(compose["services"][part]["environment"]["MPP_PROBE_HOST"] != "127.0.0.1" for part in PARTS)
    for job in ("rabbitmq", "rabbitmq-queues"):
        assert (jobs[job]["names"], jobs[job]["port"]) == (["rabbitmq"], 15692)
    told = configuration["alerting"]["alertmanagers"][0]["dns_sd_configs"][0]
    assert compose["services"]["alertmanager"]["ports"] == [f"127.0.0.1:{told['port']}:{told['port']}"]
    assert told["names"] == ["alertmanager"]
    assert jobs["alertmanager"] == told


@pytest.mark.unit
def test_prometheus_asks_the_blackbox_exporter_of_compose_about_the_certificate(compose):
    configuration = yaml.safe_load((CHECKOUT / "deploy/monitoring/prometheus.yml").read_text())
    (job,) = (job for job in configuration["scrape_configs"] if job["job_name"] == "certificate")
    (prober,) = (rule["replacement"] for rule in job["relabel_configs"] if "source_labels" not in rule)
    name, _, port = prober.partition(":")
    service = compose["services"][name]
    assert set(service["networks"]) & set(compose["services"]["prometheus"]["networks"])
    assert f"http://127.0.0.1:{port}/" in service["healthcheck"]["test"][-1]
    (mount,) = (CHECKOUT / volume.split(":")[0] for volume in service["volumes"])
    assert set(job["params"]["module"]) <= set(yaml.safe_load(mount.read_text())["modules"])


@pytest.mark.unit
def test_whom_alerts_reach_is_what_env_says(compose):
    service = compose["services"]["alertmanager"]
    [script] = [CHECKOUT / source for source, target, *_ in (v.split(":") for v in service["volumes"]) if target == "/etc/alertmanager"]
    known = set(re.findall(r"ALERT_[A-Z_]+", (script / "start.sh").read_text()))
    assert known == set(service["environment"])
    shell, file, config, program = service["entrypoint"]
    assert (shell, Path(file).name, program) == ("/bin/sh", "start.sh", "/bin/alertmanager")
    assert f"--config.file={config}" in service["command"]
    assert str(Path(config).parent) in service["tmpfs"]


@pytest.mark.unit
def test_grafana_has_no_known_password_and_finds_what_is_provided(compose, file):
    grafana = compose["services"]["grafana"]
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == file.variables["GRAFANA_PASSWORD"]
    targets = {target: CHECKOUT / source for source, target, *_ in (volume.split(":") for volume in grafana["volumes"])}
    provisioning = targets["/etc/grafana/provisioning"]
    provider = yaml.safe_load((provisioning / "dashboards/mpp.yml").read_text())["providers"][0]
    dashboards = targets[provider["options"]["path"]]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / Path(home).name).exists()
    datasource = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"][0]
    assert datasource["url"] == "http://prometheus:9090"


@pytest.mark.unit
def test_backups_are_made_without_an_administrator_s_right_and_read_where_they_are_restored(file):
    saver, restorer = file["backup"], file["migrate"]
    assert "MPP_ADMIN_DATABASE_URL" not in saver.environment
    assert set(Settings.from_environment(saver.environment).database_urls) == set(SERVICES)
    assert saver.raw["volumes"] == ["./backups:/backups"]
    assert restorer.raw["volumes"] == ["./backups:/backups:ro"]
    assert saver.environment["MPP_BACKUP_DIR"] == "/backups"
    assert saver.raw["profiles"], "`up` starts it not"
