"""The platform as citizens reach it: over TLS, through the deployment's own proxy, which knows all replicas of the gateway."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from deploy.servers import debian_packages
from deploy.servers.caddy import CaddyServer
from deploy.servers.ports import free_port
from deploy.servers.prometheus import PrometheusServer
from gateway.problems import MEDIA_TYPE, problem
from services.contracts.problems import LOCALES
from tests.e2e.first_tickets import take_call_and_serve
from tests.handbook.units import Unit, running
from tests.monitoring import hurried
from tests.platform.browser import browser
from tests.platform.client import Client
from tests.platform.deployment import DeployedPlatform
from tests.platform.event_stream import event_stream
from tests.platform.journeys import LAMPUNG_TIMUR, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

BOARD = f"{LAMPUNG_TIMUR.path}/sites/{LAMPUNG_TIMUR.site}/board"


class Entrance:
    """The proxy, and clients that trust the authority it has made."""

    def __init__(self, proxy: CaddyServer, platform: DeployedPlatform) -> None:
        self.proxy = proxy
        self.trust = ssl.create_default_context(cafile=str(proxy.root_certificate))
        self._platform = platform

    def expiry(self) -> int:
        """When the first of the certificates that it shows expires, in seconds since 1970."""
        plain = socket.create_connection(("localhost", self.proxy.https_port), timeout=10)
        with self.trust.wrap_socket(plain, server_hostname="localhost") as connection:
            certificate = connection.getpeercert()
        assert certificate is not None
        return int(ssl.cert_time_to_seconds(str(certificate["notAfter"])))

    def client(self, account: str | None = None) -> Client:
        """A client behind the proxy."""
        token = None if account is None else self._platform.token(account)
        return Client([self.proxy.https_port], token, actor=account or "anonymous", tls=self.trust)


@pytest.fixture(scope="module")
def entrance(server_folder: Path, deployed_platform: DeployedPlatform) -> Iterator[Entrance]:
    """Caddy as the compose file runs it, in front of two gateways."""
    gateways = [f"127.0.0.1:{port}" for port in deployed_platform.http_ports]
    with CaddyServer(server_folder / "proxy", {"MPP_PROXY_UPSTREAMS": f"to {' '.join(gateways)}"}) as proxy:
        yield Entrance(proxy, deployed_platform)


def requests_of(platform: DeployedPlatform) -> list[float]:
    """How many requests each gateway has answered."""
    return [gateway.metric("mpp_http_request_duration_seconds_count") for gateway in platform.gateways]


def test_three_tickets_are_called_in_the_right_order_and_served_by_whichever_gateway(entrance: Entrance, deployed_platform):
    before = requests_of(deployed_platform)
    citizen, officer = entrance.client(), entrance.client("officer@lampung-timur")
    try:
        take_call_and_serve(citizen, officer)
    finally:
        citizen.close()
        officer.close()
    answered = [now - then for now, then in zip(requests_of(deployed_platform), before, strict=True)]
    assert all(answered), f"one gateway had nothing to do: {answered}"


def test_plain_http_leads_to_tls(entrance: Entrance):
    connection = http.client.HTTPConnection("localhost", entrance.proxy.http_port, timeout=10)
    connection.request("GET", "/v1/regencies")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/v1/regencies")
    connection.close()


def test_a_board_is_live_through_the_proxy(entrance: Entrance):
    citizen = entrance.client()
    with event_stream(entrance.proxy.https_port, f"{BOARD}/stream", tls=entrance.trust) as stream:
        messages = iter(stream)
        first = next(messages)
        ticket = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
        seen = next(message for message in messages if message.id > first.id)
        issued = {service["id"]: service["last_issued"] for service in seen.data["services"]}
        assert issued["CPL-KTP"] == ticket["number"]
    citizen.close()


def test_a_browser_shows_the_board_live(entrance: Entrance):
    """It offers to unpack what comes: a packed stream would hold back what happens until enough has."""
    with browser() as chromium:
        page = chromium.new_context(ignore_https_errors=True, locale="en").new_page()
        page.goto(f"https://localhost:{entrance.proxy.https_port}/boards/{LAMPUNG_TIMUR.regency}/{LAMPUNG_TIMUR.site}")
        expect(page.locator(".status")).to_have_text("Live", timeout=20_000)


def test_an_officer_signs_in_by_tls_and_works_at_whichever_gateway(entrance: Entrance, deployed_platform):
    """The cookie is of this host alone, and the browser comes back by TLS next time."""
    account, before = "officer@oku-timur", requests_of(deployed_platform)
    with browser() as chromium:
        context = chromium.new_context(ignore_https_errors=True, locale="id")
        page = context.new_page()
        answer = page.goto(f"https://localhost:{entrance.proxy.https_port}/account")
        assert answer is not None
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        page.get_by_label("Nama pengguna").fill(account)
        page.get_by_label("Kata sandi").fill(deployed_platform.passwords[account])
        page.get_by_role("button", name="Masuk").click()
        expect(page.get_by_text(account)).to_be_visible()
        [cookie] = [each for each in context.cookies() if "mpp" in each["name"]]
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == ("__Host-mpp", True, True, "Lax")
        read = "async path => (await fetch(path)).status"
        assert {page.evaluate(read, "/v1/oku-timur/tickets") for _ in range(12)} == {200}
        page.get_by_role("button", name="Keluar", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("Anda sudah keluar.")
        assert not [each for each in context.cookies() if "mpp" in each["name"]]
    assert all(now > then for now, then in zip(requests_of(deployed_platform), before, strict=True))


def test_what_does_not_go_on_for_ever_is_packed(entrance: Entrance):
    connection = http.client.HTTPSConnection("localhost", entrance.proxy.https_port, timeout=10, context=entrance.trust)
    packed = {}
    for path in ("/openapi.json", f"/boards/{LAMPUNG_TIMUR.regency}/{LAMPUNG_TIMUR.site}", f"{BOARD}/stream"):
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        packed[path.rpartition("/")[2]] = answer.headers["Content-Encoding"]
        if path.endswith("stream"):
            connection.close()
        else:
            answer.read()
    assert packed == {"openapi.json": "gzip", LAMPUNG_TIMUR.site: "gzip", "stream": None}


def test_whether_the_way_in_is_open_and_until_when_the_certificate_holds_is_watched(
    entrance: Entrance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With what is delivered; the certificate is one of Caddy's own authority, which nobody trusts at first, and which gives half a day."""
    if shutil.which("prometheus-blackbox-exporter") is None:
        debian_packages.install("prometheus-blackbox-exporter", "the blackbox exporter", service="prometheus-blackbox-exporter")
    monitoring, address, port = hurried(tmp_path / "monitoring", alarm_after=1), f"localhost:{entrance.proxy.https_port}", free_port()
    named = [{"labels": {"__prober__": f"127.0.0.1:{port}"}, "targets": [address]}]
    (monitoring / "targets/entrance.yml").write_text(yaml.safe_dump(named))
    unit = Unit("blackbox-mpp.conf", {"/srv/mpp/deploy/monitoring": str(monitoring), ":9115": f":{port}"})
    with running(unit, monitoring / "blackbox.log"), PrometheusServer(tmp_path / "stranger", monitoring / "prometheus.yml") as prometheus:
        eventually(lambda: prometheus.query('up{job="entrance"} == 0'), within=20)
        (seen,) = eventually(lambda: prometheus.query("probe_ssl_earliest_cert_expiry"), within=20, every=0.2)
        assert (seen["metric"]["instance"], int(float(seen["value"][1]))) == (address, entrance.expiry())
        firing = 'ALERTS{alertname="CertificateExpires", alertstate="firing", severity="critical"}'
        (told,) = eventually(lambda: prometheus.query(firing), within=20, every=0.2)
        assert told["metric"]["instance"] == address
        assert not prometheus.query('ALERTS{alertname=~"CertificateUnwatched|CertificateExpires", severity="warning"}')
    monkeypatch.setenv("SSL_CERT_FILE", str(entrance.proxy.root_certificate))
    with PrometheusServer(tmp_path / "friend", monitoring / "prometheus.yml") as prometheus:
        eventually(lambda: prometheus.query('up{job="entrance"} == 1'), within=20)
        assert prometheus.query('{__name__=~"mpp_.+"}') == []
        unwatched = f'ALERTS{{alertname="CertificateUnwatched", instance="{address}"}}'
        eventually(lambda: prometheus.query(unwatched), within=20, every=0.2)


def test_while_a_gateway_is_away_the_other_one_does_its_work(entrance: Entrance, deployed_platform):
    """What it may have begun is repeated by the client alone, under its key."""
    citizen, gateway = entrance.client(), deployed_platform.gateways[0]
    gateway.kill()
    try:
        for _ in range(10):
            assert citizen.get("/v1/regencies").status == 200
            assert take_number(citizen, LAMPUNG_TIMUR, "CPL-KK").status == 201
    finally:
        gateway.start()
        citizen.close()


def test_without_any_gateway_it_says_so_as_they_do_and_logs_neither_addresses_nor_tokens(entrance: Entrance, deployed_platform):
    """The proxy's own words about a failed request would hold its headers."""
    secret = "t" * 43
    client = entrance.client()
    deployed_platform.gateways[0].stop()
    deployed_platform.gateways[1].stop()
    try:
        for language in LOCALES:
            answer = client.request("GET", f"{LAMPUNG_TIMUR.path}/tickets", headers={"Ticket-Token": secret, "Accept-Language": language})
            assert (answer.status, answer.headers["content-type"], answer.headers["content-language"]) == (503, MEDIA_TYPE, language)
            assert answer.body == problem("service_unavailable", language, {}).document, "the gateways' own words"
    finally:
        for gateway in deployed_platform.gateways:
            gateway.start()
        client.close()
    written = entrance.proxy.log.read_text()
    assert "serving initial configuration" in written
    assert secret not in written
    assert "127.0.0.1:" not in written.replace("127.0.0.1:0", "")
