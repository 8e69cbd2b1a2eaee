"""What is encrypted can be read with its key, for its purpose, and with no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.encryption import Keyring, KeyUnknown

pytestmark = pytest.mark.unit

OLD, NEW = "an old secret of 32 characters...", "a new secret of 32 characters...."


@given(st.text())
def test_what_goes_in_comes_out_and_looks_different_each_time(text):
    ring = Keyring([NEW])
    one, other = ring.encrypt(text, "address"), ring.encrypt(text, "address")
    assert one != other
    assert one.isascii()
    assert ring.decrypt(one, "address") == ring.decrypt(other, "address") == text


def test_another_purpose_or_key_reads_nothing():
    token = Keyring([NEW]).encrypt("budi@example.id", "address")
    for ring, purpose in ((Keyring([NEW]), "secret"), (Keyring([OLD]), "address")):
        with pytest.raises(KeyUnknown):
            ring.decrypt(token, purpose)


def test_a_key_has_an_id_that_tells_nothing_of_it():
    ring = Keyring([NEW, OLD])
    assert ring.ids == [ring.newest_id, Keyring([OLD]).newest_id]
    assert len({*ring.ids}) == 2
    assert not {part for key in (NEW, OLD) for part in (key[:8], key.encode().hex()[:8])} & {*ring.ids}


@pytest.mark.parametrize("damaged", ["", "x", "gAAAAA", "é"])
def test_what_is_damaged_is_said_to_be_unreadable(damaged):
    with pytest.raises(KeyUnknown):
        Keyring([NEW]).decrypt(damaged, "address")


def test_after_a_new_key_the_old_one_still_reads_and_only_the_new_one_writes():
    token = Keyring([OLD]).encrypt("budi@example.id", "address")
    both = Keyring([NEW, OLD])
    assert both.decrypt(token, "address") == "budi@example.id"
    assert not both.is_current(token, "address")
    assert both.is_current(both.encrypt("budi@example.id", "address"), "address")
    with pytest.raises(KeyUnknown):
        Keyring([OLD]).decrypt(both.encrypt("x", "address"), "address")


def test_hashes_are_keyed_stable_and_found_under_every_key():
    old, both = Keyring([OLD]), Keyring([NEW, OLD])
    assert old.hashes("budi@example.id", "address") == old.hashes("budi@example.id", "address")
    assert both.hashes("budi@example.id", "address")[1:] == old.hashes("budi@example.id", "address")
    assert len({*both.hashes("budi@example.id", "address"), *both.hashes("budi@example.id", "other"), *both.hashes("x", "address")}) == 6


def test_a_keyring_without_keys_is_none():
    with pytest.raises(ValueError, match="without keys"):
        Keyring([])
