"""The compose file says what `mpp run` needs, and asks for nothing that does not exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.parts import PARTS
from services.chassis.settings import SERVICES, Settings

CHECKOUT = Path(__file__).resolve().parents[3]
REQUIRED = {
    "ticketing": Settings.required_ticket_token_secret,
    "gateway": Settings.required_token_secret,
}


@pytest.fixture(scope="module")
def text() -> str:
    return (CHECKOUT / "docker-compose.yml").read_text()


@pytest.fixture(scope="module")
def compose(text: str) -> dict[str, Any]:
    filled = re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", "s" * 40, text)
    return yaml.safe_load(filled)


@pytest.mark.unit
@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_part_runs_with_the_settings_that_it_needs(compose, part):
    service = compose["services"][part]
    assert service["command"] == ["run", part]
    settings = Settings.from_environment(service["environment"])
    settings.required_broker_url()
    if part in SERVICES:
        assert settings.database_url(part).startswith(f"postgresql://{part}:")
    if part in REQUIRED:
        REQUIRED[part](settings)


@pytest.mark.unit
@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_holds_no_secret_of_another_and_nothing_hinders_scaling(compose, part):
    service = compose["services"][part]
    assert "MPP_ADMIN_DATABASE_URL" not in service["environment"]
    assert [name for name in service["environment"] if name.endswith("DATABASE_URL")] == (
        [f"MPP_{part.upper()}_DATABASE_URL"] if part in SERVICES else []
    )
    assert "container_name" not in service
    assert "ports" not in service, "the proxy is the way in"


@pytest.mark.unit
def test_the_way_in_is_the_proxy_and_gateways_know_how_many_hops_away_citizens_are(compose):
    proxy, gateway = compose["services"]["proxy"], compose["services"]["gateway"]
    assert Settings.from_environment(gateway["environment"]).trusted_proxies == 1
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


MONITORING = ("prometheus", "alertmanager", "grafana")


@pytest.mark.unit
@pytest.mark.parametrize("name", MONITORING)
def test_monitoring_is_asked_for_pinned_bounded_and_seen_from_this_host_only(compose, name):
    service = compose["services"][name]
    assert service["profiles"] == ["monitoring"]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
    assert service["read_only"] is True
    assert service["mem_limit"]
    assert service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
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
def test_grafana_has_no_known_password_and_finds_what_is_provided(compose):
    grafana = compose["services"]["grafana"]
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "s" * 40
    targets = {target: CHECKOUT / source for source, target, *_ in (volume.split(":") for volume in grafana["volumes"])}
    provisioning = targets["/etc/grafana/provisioning"]
    provider = yaml.safe_load((provisioning / "dashboards/mpp.yml").read_text())["providers"][0]
    dashboards = targets[provider["options"]["path"]]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / Path(home).name).exists()
    datasource = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"][0]
    assert datasource["url"] == "http://prometheus:9090"
