"""Password hashes."""

import pytest

from services.catalog.usecases import passwords

pytestmark = pytest.mark.unit


def test_a_hash_proves_its_password_and_no_other():
    hashed = passwords.hash_password("kopi pagi hari")
    assert passwords.matches(hashed, "kopi pagi hari")
    assert not passwords.matches(hashed, "kopi pagi harI")


def test_two_hashes_of_one_password_differ():
    assert passwords.hash_password("kopi pagi hari") != passwords.hash_password("kopi pagi hari")


def test_hashes_are_argon2id_with_todays_parameters():
    hashed = passwords.hash_password("kopi pagi hari")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.outdated(hashed)
    assert passwords.outdated(hashed.replace("m=19456", "m=8192"))


def test_nobodys_hash_costs_as_much_as_a_real_one_and_proves_nothing():
    assert not passwords.outdated(passwords.NOBODY)
    assert not passwords.matches(passwords.NOBODY, "")


@pytest.mark.parametrize("damaged", ["", "demo", "$argon2id$v=19$m=19456,t=2,p=1$x"])
def test_a_damaged_hash_proves_nothing(damaged):
    assert not passwords.matches(damaged, "demo")
