"""Two requests are the same when method and payload are, however they were written."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.commands import fingerprint

pytestmark = pytest.mark.unit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.dictionaries(st.text(max_size=6), JSON, max_size=4)


@given(PAYLOADS)
def test_the_order_of_fields_does_not_matter(payload):
    assert fingerprint("issue_ticket", payload) == fingerprint("issue_ticket", dict(reversed(payload.items())))


@given(PAYLOADS, PAYLOADS)
def test_another_payload_has_another_fingerprint(one, other):
    same = repr(sorted(one.items(), key=repr)) == repr(sorted(other.items(), key=repr))
    if not same and one != other:
        assert fingerprint("issue_ticket", one) != fingerprint("issue_ticket", other)


def test_another_method_has_another_fingerprint():
    assert fingerprint("call_ticket", {"id": "1"}) != fingerprint("cancel_ticket", {"id": "1"})


def test_the_boundary_between_method_and_payload_cannot_be_moved():
    assert fingerprint('a",{"b":1}', {}) != fingerprint("a", {"b": 1})


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (None, "null"), (True, 1), ([1, 2], [2, 1]), ("é", "e\u0301")])
def test_values_that_look_alike_differ(one, other):
    assert fingerprint("m", {"value": one}) != fingerprint("m", {"value": other})


def test_another_password_is_another_request_but_only_a_slow_hash_of_it_goes_in(monkeypatch):
    one = {"id": "officer@x", "password": "one", "accounts": [{"password": "one"}]}
    other = {"id": "officer@x", "password": "other", "accounts": [{"password": "one"}]}
    assert fingerprint("create_account", one) == fingerprint("create_account", dict(one))
    assert fingerprint("create_account", one) != fingerprint("create_account", other)

    stretched = []

    def scrypt(password: bytes, **work: int) -> bytes:
        stretched.append((password, work))
        return b"slow"

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    assert fingerprint("create_account", one) == fingerprint("create_account", other)
    assert [password for password, _ in stretched] == [b"one", b"one", b"other", b"one"]
    assert all(work["n"] >= 2**14 for _, work in stretched)


def test_a_fingerprint_is_a_digest_and_no_copy_of_the_payload():
    assert len(fingerprint("m", {"text": "x" * 10_000})) == len(fingerprint("m", {})) == 64
