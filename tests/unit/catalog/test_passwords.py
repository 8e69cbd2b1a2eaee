"""Password hashes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from services.catalog.usecases import passwords
from services.chassis.errors import Busy, DeadlineExceeded
from services.chassis.rpc_server import PREFETCH
from services.chassis.turnstile import PERMITS
from tests.processes import eventually

pytestmark = pytest.mark.unit


def test_a_hash_proves_its_password_and_no_other():
    hashed = passwords.hash_password("kopi pagi hari", 5.0)
    assert passwords.matches(hashed, "kopi pagi hari")
    assert not passwords.matches(hashed, "kopi pagi harI")


def test_two_hashes_of_one_password_differ():
    assert passwords.hash_password("kopi pagi hari", 5.0) != passwords.hash_password("kopi pagi hari", 5.0)


def test_hashes_are_argon2id_with_todays_parameters():
    hashed = passwords.hash_password("kopi pagi hari", 5.0)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.outdated(hashed)
    assert passwords.outdated(hashed.replace("m=19456", "m=8192"))


def test_nobodys_hash_costs_as_much_as_a_real_one_and_proves_nothing():
    assert not passwords.outdated(passwords.NOBODY)
    assert not passwords.matches(passwords.NOBODY, "")


@pytest.mark.parametrize("damaged", ["", "demo", "$argon2id$v=19$m=19456,t=2,p=1$x"])
def test_a_damaged_hash_proves_nothing(damaged):
    assert not passwords.matches(damaged, "demo")


def all_turns(turn) -> ExitStack:
    """Take every permit; closing gives them back."""
    taken = ExitStack()
    for _ in range(PERMITS):
        taken.enter_context(turn())
    return taken


def test_a_flood_of_sign_ins_is_refused_at_once_and_leaves_half_of_a_replica_to_others():
    most = passwords.MOST_WAITING_SIGN_INS
    assert most <= PREFETCH / 2

    def sign_in():
        with passwords.sign_in_turn(20.0):
            pass

    with ThreadPoolExecutor(most) as threads:
        with all_turns(lambda: passwords.sign_in_turn(1.0)):
            waiting = [threads.submit(sign_in) for _ in range(most)]
            refused = eventually(refusal_of_one_more, within=5)
            assert isinstance(refused, Busy)
        for future in waiting:
            future.result(timeout=10)


def refusal_of_one_more():
    try:
        with passwords.sign_in_turn(0.0):
            return None
    except Busy as busy:
        return busy
    except DeadlineExceeded:
        return None


def test_nobody_waits_for_a_turn_longer_than_the_caller_can():
    with all_turns(lambda: passwords.sign_in_turn(1.0)), pytest.raises(DeadlineExceeded), passwords.sign_in_turn(0.02):
        pass
    with all_turns(lambda: passwords._NEW_PASSWORDS.turn("password", 1.0)), pytest.raises(DeadlineExceeded):
        passwords.hash_password("kopi pagi hari", 0.02)


def test_a_new_password_waits_for_no_sign_in():
    with all_turns(lambda: passwords.sign_in_turn(1.0)):
        assert passwords.hash_password("kopi pagi hari", 5.0)
