"""Webhooks reach the public internet and nothing else, however an address is written or looked up."""

import ipaddress

import pytest

from services.notification.channels.posting import Poster
from services.notification.channels.urls import UrlRefused, target_of
from services.notification.domain import is_allowed
from tests.receivers import HttpReceiver

pytestmark = pytest.mark.unit

INTERNAL = [
    *("0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1"),
    *("2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1"),
    *("ff02::1", "ff0e::1", "2001:4860:4860::8888%1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "103.10.60.1", "172.15.0.1", "172.32.0.1", "2001:4860:4860::8888", "2400:cb00::1"]


@pytest.mark.parametrize("text", INTERNAL)
def test_what_is_not_public_is_not_reached(text):
    assert not is_allowed(ipaddress.ip_address(text), ())


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_reached(text):
    assert is_allowed(ipaddress.ip_address(text), ())


def test_what_the_operator_allows_is_reached_and_its_neighbours_are_not():
    allowed = (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("::1/128"))
    assert is_allowed(ipaddress.ip_address("10.20.3.4"), allowed)
    assert is_allowed(ipaddress.ip_address("::1"), allowed)
    assert not is_allowed(ipaddress.ip_address("10.21.0.1"), allowed)
    assert not is_allowed(ipaddress.ip_address("::ffff:10.20.3.4"), allowed)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://example.id", "https://example.id/"),
        ("HTTPS://Example.ID:443/Kejadian?x=1&y=%20", "https://example.id/Kejadian?x=1&y=%20"),
        ("https://example.id:8443/a/b", "https://example.id:8443/a/b"),
        ("https://bücher.example/ü?ö=1", "https://xn--bcher-kva.example/%C3%BC?%C3%B6=1"),
        ("https://example.id./", "https://example.id/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2001:4860:4860:0:0:0:0:8888]/", "https://[2001:4860:4860::8888]/"),
        ("https://a_b.example.id/", "https://a_b.example.id/"),
    ],
)
def test_an_address_is_kept_in_its_normal_form(url, normal):
    assert target_of(url, allow_http=False, allowed=()).url == normal
    assert target_of(normal, allow_http=False, allowed=()).url == normal


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://example.id/", "url_not_https"),
        ("ftp://example.id/", "url_not_https"),
        ("//example.id/", "url_not_https"),
        ("https://user:password@example.id/", "url_with_password"),
        ("https://@example.id/", "url_with_password"),
        ("https://example.id@127.0.0.1/", "url_with_password"),
        ("https://example.id/#part", "url_fragment"),
        ("https://example.id/#", "url_fragment"),
        ("https:///path", "url_host"),
        ("https://:443/", "url_host"),
        ("https://exa mple.id/", "url_host"),
        ("https://example.id\\@evil.example/", "url_host"),
        ("https://example.id\r\nX-A: b/", "url_host"),
        ("https://-a.example/", "url_host"),
        ("https://a..example/", "url_host"),
        ("https://%31%32%37.0.0.1/", "url_host"),
        ("https://" + "a" * 64 + ".example/", "url_host"),
        ("https://" + "a." * 130 + "example/", "url_host"),
        ("https://[::1/", "url_host"),
        ("https://[v1.x]/", "url_host"),
        ("https://2130706433/", "url_host"),
        ("https://0x7f000001/", "url_host"),
        ("https://0x7f.1/", "url_host"),
        ("https://127.1/", "url_host"),
        ("https://0177.0.0.1/", "url_host"),
        ("https://127.0.0.01/", "url_host"),
        ("https://127.0.0.1./", "url_host"),
        ("https://1.2.3.4.5/", "url_host"),
        ("https://256.1.1.1/", "url_host"),
        ("https://example.1/", "url_host"),
        ("https://example.id:0/", "url_port"),
        ("https://example.id:65536/", "url_port"),
        ("https://example.id:port/", "url_port"),
        ("https://127.0.0.1/", "url_internal"),
        ("https://１２７.0.0.1/", "url_internal"),
        ("https://127。0。0。1/", "url_internal"),
        ("https://169.254.169.254/latest/meta-data/", "url_internal"),
        ("https://[::1]/", "url_internal"),
        ("https://[::ffff:127.0.0.1]/", "url_internal"),
        ("https://[fe80::1%25eth0]/", "url_internal"),
        ("https://localhost/", "url_internal"),
        ("https://LOCALHOST./", "url_internal"),
        ("https://db.internal/", "url_internal"),
    ],
)
def test_an_address_of_another_kind_is_refused_with_its_reason(url, rule):
    with pytest.raises(UrlRefused) as refused:
        target_of(url, allow_http=False, allowed=())
    assert refused.value.rule in (rule, "url_host")
    assert refused.value.rule == rule or "fe80" in url


class TestLookingUp:
    """A name is looked up once for each connection, and only what was checked is connected to."""

    LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)

    def posted(self, *answers, allowed=LOOPBACK, port=None):
        with HttpReceiver() as receiver:
            asked = []

            def resolve(host, port):
                asked.append(host)
                return answers[min(len(asked), len(answers)) - 1]

            target = target_of(f"http://hooks.example.id:{port or receiver.port}/x", allow_http=True, allowed=allowed)
            outcome = Poster(allowed, resolve=resolve).post(target, b"{}", {})
            return outcome, asked, receiver

    def test_the_checked_address_is_the_one_that_is_connected_to_and_the_name_goes_into_the_request(self):
        outcome, asked, receiver = self.posted(["127.0.0.1"], ["10.0.0.1"])
        assert (outcome.result, asked) == ("delivered", ["hooks.example.id"])
        assert receiver.posted[0].headers["host"] == f"hooks.example.id:{receiver.port}"

    def test_a_name_that_leads_inside_is_not_connected_to(self):
        outcome, _, receiver = self.posted(["127.0.0.1", "::1"], allowed=())
        assert (outcome.result, outcome.error, receiver.connections) == ("retry", "address_internal", 0)

    def test_of_several_addresses_those_inside_are_passed_over(self):
        outcome, _, receiver = self.posted(["127.0.0.2", "::1", "127.0.0.1"])
        assert (outcome.result, receiver.connections) == ("delivered", 1)

    def test_a_second_look_up_that_would_lead_inside_is_never_made(self):
        outcome, asked, _ = self.posted(["127.0.0.1"], ["127.0.0.2"])
        assert outcome.result == "delivered"
        assert len(asked) == 1

    @pytest.mark.parametrize("answers", [[], ["not an address"]])
    def test_a_name_that_leads_nowhere_is_tried_again(self, answers):
        assert self.posted(answers)[0].error == "name_unknown"

    def test_nobody_listens(self):
        assert self.posted(["127.0.0.1"], port=1)[0].error == "connect_failed"
