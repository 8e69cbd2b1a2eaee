"""Pages for who writes a program: every code has its page, and everything they need comes from our own host."""

import re

import pytest

from gateway.openapi.problem_answers import problem_codes
from gateway.pages.documentation import operations_by_problem
from gateway.pages.vendoring import VENDOR, VendoringError, digest, locked, unpacked
from gateway.routes import ROUTES
from services.contracts.problems import PROBLEMS
from tests.unit.gateway.conftest import OPENAPI, problem_in

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_code_has_a_page_that_says_in_both_languages_what_it_means_and_what_to_do(edge, code):
    known = PROBLEMS[code]
    page = edge.send("GET", f"/problems/{code}")
    assert page.status_code == 200
    assert f"<code>{code}</code>" in page.text
    assert str(known.status) in page.text
    for language in ("id", "en"):
        section = re.search(rf'<section lang="{language}">(.*?)</section>', page.text, re.DOTALL)
        assert section is not None
        assert section[1].count("<p>") >= 1
        assert "{" not in section[1]


def test_the_type_of_a_problem_leads_to_its_page(edge):
    refused = problem_in(edge.send("GET", "/v1/lampung-timur/tickets"))
    assert edge.send("GET", refused["type"]).status_code == 200


def test_all_codes_are_listed_and_link_to_their_pages(edge):
    linked = set(re.findall(r'href="/problems/(\w+)"', edge.send("GET", "/problems").text))
    assert linked == set(PROBLEMS)


def test_a_page_names_the_operations_that_may_answer_so(edge):
    expected = {route.operation_id for route in ROUTES if "counter_busy" in problem_codes(route)}
    page = edge.send("GET", "/problems/counter_busy")
    assert set(re.findall(r'href="/docs#/\w+/(\w+)"', page.text)) == expected != set()
    known = operations_by_problem(OPENAPI["en"])
    assert set(known) == {code for route in ROUTES for code in problem_codes(route)}


@pytest.mark.parametrize("code", ["nothing", "%3Cscript%3E", "Token_Missing"])
def test_a_code_that_is_none_is_a_friendly_page(edge, code):
    page = edge.send("GET", f"/problems/{code}", headers={"Accept-Language": "en"})
    assert page.status_code == 404
    assert "There is no such problem code" in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/docs", "/docs/deprecation", "/problems", "/problems/rate_limited"])
@pytest.mark.parametrize("language", ["id", "en"])
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(edge, path, language):
    page = edge.send("GET", path, headers={"Accept-Language": language})
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'")
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://", page.text)
    for name in re.findall(r'(?:src|href)="/static/([^"]+)"', page.text):
        assert edge.send("GET", f"/static/{name}").status_code == 200


def test_the_policy_of_changes_is_written_in_both_languages(edge):
    text = edge.send("GET", "/docs/deprecation").text
    assert text.count("180") == 2
    assert text.count("<code>Sunset</code>") == 4
    assert text.index('lang="id"') < text.index('<section lang="en"')
    english = edge.send("GET", "/docs/deprecation", headers={"Accept-Language": "en"}).text
    assert english.index('<section lang="en"') < english.index('<section lang="id"')


def test_files_of_others_are_what_the_lock_names():
    lock = locked()
    assert set(lock["files"]) | {"lock.json"} == {path.name for path in VENDOR.iterdir()}
    for name, expected in lock["files"].items():
        assert digest((VENDOR / name).read_bytes()) == expected


def test_a_package_that_is_not_the_locked_one_is_refused():
    with pytest.raises(VendoringError, match="not sha512-"):
        unpacked(b"something else", locked())
