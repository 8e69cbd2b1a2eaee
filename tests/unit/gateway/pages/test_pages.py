"""Pages: what a browser gets, in which language, and that nothing a catalogue holds becomes code."""

import copy
import re

import pytest

from gateway.pages.rendering import minutes, static_names
from gateway.pages.words import WORDS
from services.chassis.errors import DomainError, Unavailable
from services.contracts.examples import EXAMPLES
from tests.unit.gateway.conftest import problem_in

pytestmark = pytest.mark.unit

BOARD = "/boards/lampung-timur/sukadana"
HOSTILE = "\"><script>alert(1)</script>' onload=x {{ 7*7 }}"


def hostile_day():
    day = copy.deepcopy(EXAMPLES["ticketing"]["site_day"])
    day["name"] = day["counters"][0]["name"] = day["services"][0]["name"] = HOSTILE
    return day


def test_a_board_is_whole_before_any_script_runs(edge):
    page = edge.send("GET", BOARD)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<html lang="id">' in page.text
    assert "E-012" in page.text
    assert "Loket 5" in page.text
    assert 'data-stream="/v1/lampung-timur/sites/sukadana/board/stream"' in page.text
    assert "Nomor dipanggil" in page.text


@pytest.mark.parametrize(
    ("language", "whole", "agency", "opens"),
    [
        ("id", "Hari ini tutup di luar jadwal", "BRJ hari ini tutup di luar jadwal", "Buka kembali Kamis, 12 Juni 2025 pukul 08.00 WIB"),
        ("en", "Closed today, unforeseen", "BRJ is closed today, unforeseen", "It opens again Thursday, 12 June 2025 at 08:00 WIB"),
    ],
)
def test_a_closure_is_said_before_any_script_runs(edge, language, whole, agency, opens):
    day = copy.deepcopy(EXAMPLES["ticketing"]["site_day"])
    day["closures"] = [{"agency": None, "opens_at": None}, {"agency": "BRJ", "opens_at": "2025-06-12T08:00:00+07:00"}]
    edge.services.answers["get_site_day"] = day
    [shown] = re.findall(r'<ul class="closures".*?</ul>', edge.send("GET", BOARD, headers={"Accept-Language": language}).text, re.DOTALL)
    assert [text in shown for text in (whole, agency, opens)] == [True] * 3
    assert shown.count("<li") == 2


def test_a_board_of_an_ordinary_day_says_nothing_of_closures(edge):
    assert 'data-list="closures"></ul>' in edge.send("GET", BOARD).text


def test_in_english_for_who_wants_it(edge):
    page = edge.send("GET", BOARD, headers={"Accept-Language": "en-GB"})
    assert '<html lang="en">' in page.text
    assert "Number called" in page.text
    assert page.headers["Vary"] == "Accept-Language"
    assert page.headers["Content-Language"] == "en"


def test_who_opens_the_address_alone_chooses_a_regency(edge):
    assert edge.send("GET", "/").text == edge.send("GET", "/boards").text
    assert problem_in(edge.send("POST", "/"))["code"] == "method_not_allowed"


def test_both_languages_say_the_same_things():
    assert WORDS["id"].keys() == WORDS["en"].keys()


@pytest.mark.parametrize("path", [BOARD, "/boards", "/boards/lampung-timur", "/boards/lampung-timur/%3Cb%3E"])
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(edge, path):
    page = edge.send("GET", path)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://", page.text)
    for name in re.findall(r'(?:src|href)="/static/([^"]+)"', page.text):
        assert edge.send("GET", f"/static/{name}").status_code == 200


@pytest.mark.parametrize("language", ["id", "en"])
def test_names_in_the_catalogue_stay_text(edge, language):
    edge.services.answers["get_site_day"] = hostile_day()
    page = edge.send("GET", BOARD, headers={"Accept-Language": language})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "49" not in re.sub(r"[0-9a-f]{8,}", "", page.text.split("<main>")[1])
    assert "&lt;script&gt;alert(1)" in page.text


def test_names_in_lists_stay_text(edge):
    regencies = copy.deepcopy(EXAMPLES["catalog"]["regency_list"])
    regencies["items"][0]["name"] = HOSTILE
    edge.services.answers["list_regencies"] = regencies
    assert "<script>alert" not in edge.send("GET", "/boards").text


def test_regencies_and_sites_can_be_chosen(edge):
    assert 'href="/boards/lampung-timur"' in edge.send("GET", "/boards").text
    assert 'href="/boards/lampung-timur/sukadana"' in edge.send("GET", "/boards/lampung-timur").text


@pytest.mark.parametrize("site", ["Sukadana", "x" * 41, "a--b", "%3Cscript%3E", "1"])
def test_what_cannot_be_a_site_is_a_friendly_page_and_no_question(edge, site):
    page = edge.send("GET", f"/boards/lampung-timur/{site}")
    assert page.status_code == 404
    assert "Papan ini tidak ada" in page.text
    assert edge.services.calls == []


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (DomainError("site_unknown"), 404, "Papan ini tidak ada"),
        (DomainError("regency_unknown"), 404, "Papan ini tidak ada"),
        (Unavailable("away"), 503, "Papan belum dapat ditampilkan"),
        (RuntimeError("a fault"), 500, "Halaman ini tidak dapat ditampilkan"),
    ],
)
def test_a_failure_is_a_page_as_well(edge, error, status, words):
    edge.services.answers["get_site_day"] = error
    page = edge.send("GET", BOARD)
    assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert words in page.text
    assert "a fault" not in page.text
    assert ("Refresh" in page.headers) == (status == 503)
    assert page.headers["Cache-Control"] == "no-store"


def test_too_many_requests_are_told_as_a_page(edge_with):
    edge = edge_with(anonymous_rate="1/hour")
    assert edge.send("GET", BOARD).status_code == 200
    page = edge.send("GET", BOARD)
    assert page.status_code == 429
    assert "Terlalu banyak permintaan" in page.text
    assert int(page.headers["Retry-After"]) > 0


def test_a_board_nobody_can_vouch_for_says_so(edge):
    assert "Tidak tersambung" not in edge.send("GET", BOARD).text.split("<header>")[1]
    edge.boards.on_lost()
    for watch in edge.boards._watched:
        watch.show(edge.boards._monotonic() + 60, 1_749_604_920.0, edge.boards._lost_at)
    assert re.search(r"Tidak tersambung, data pukul \d\d\.\d\d<", edge.send("GET", BOARD).text)


def test_parts_of_pages_are_sent_once(edge):
    assert static_names() == ("board.css", "board.js", "docs.css", "docs.js", "icon.svg", "swagger-ui-bundle.js", "swagger-ui.css")
    for name in static_names():
        first = edge.send("GET", f"/static/{name}")
        again = edge.send("GET", f"/static/{name}", headers={"If-None-Match": first.headers["ETag"]})
        assert (first.status_code, again.status_code, again.data) == (200, 304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2frendering.py", "rendering.py", "board.html", "%2e%2e"])
def test_no_other_file_is_handed_out(edge, name):
    assert edge.send("GET", f"/static/{name}").status_code == 404


def test_pages_are_no_part_of_the_described_api(edge):
    of_pages = ("/boards", "/static", "/docs", "/problems")
    assert not [path for path in edge.send("GET", "/openapi.json").json["paths"] if path.startswith(of_pages)]


@pytest.mark.parametrize(("seconds", "shown"), [(None, "–"), (0, "0"), (1, "1"), (60, "1"), (61, "2")])
def test_estimates_are_whole_minutes_rounded_up(seconds, shown):
    assert minutes(seconds) == shown
