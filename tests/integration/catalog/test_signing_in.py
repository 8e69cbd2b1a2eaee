"""Signing in: who is known by which password, and what a refusal does not tell."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import jwt
import pytest
from argon2 import PasswordHasher

from deploy.seed import add_demo_operator
from services.catalog import domain
from services.catalog.domain import CatalogError
from services.catalog.store import attempts, credentials
from services.catalog.usecases import entities, passwords
from services.catalog.usecases.operators import add_operator
from services.catalog.usecases.sessions import Sessions
from services.chassis.context import CallContext
from services.chassis.database import Database
from services.chassis.errors import Busy, DeadlineExceeded
from services.chassis.settings import Settings
from services.chassis.turnstile import PERMITS
from services.contracts import catalog as contracts
from services.contracts.examples import EXAMPLES

pytestmark = pytest.mark.integration

PASSWORD = "kopi pagi hari"


@pytest.fixture
def staffed(catalogue):
    """An officer of one agency and a kiosk, both with the same password."""
    with catalogue.work() as work:
        entities.create(work, "agency", {"id": "CPL", "name": "Dukcapil", "kind": "regency", "presences": []})
        sari = {"id": f"sari@{catalogue.regency}", "role": "officer", "display_name": "Sari", "agencies": ["CPL"]}
        entities.create(work, "account", contracts.CreateAccount().load({**sari, "password": PASSWORD}))
        kiosk = {"id": f"kios@{catalogue.regency}", "kind": "kiosk", "site": None}
        entities.create(work, "device", {**kiosk, "active": True, "password": PASSWORD})
    return catalogue


def use_cases(mode="deployed"):
    return Sessions(Settings(mode=mode, token_secrets=("a secret of the tests, 32 characters or more",)))


def sign_in(catalogue, username, password=PASSWORD, *, embedded=False):
    """The claims of the access token."""
    data = contracts.SignIn().load({"username": username, "password": password})
    tokens = use_cases("embedded" if embedded else "deployed").sign_in(catalogue.database, CallContext(regency=None), data)
    assert contracts.SessionTokens().load(tokens) == tokens
    return jwt.decode(tokens["access_token"], options={"verify_signature": False})


def refusal(catalogue, username, password=PASSWORD):
    with pytest.raises(CatalogError) as caught:
        sign_in(catalogue, username, password)
    return caught.value.code, caught.value.details


def known(work, username):
    found = credentials.find(work, username)
    assert found is not None
    return found


def test_an_officer_signs_in_to_the_regency_of_the_username(staffed):
    claims = sign_in(staffed, f"sari@{staffed.regency}")
    says = {
        "sub": f"sari@{staffed.regency}",
        "role": "officer",
        "regency": staffed.regency,
        "agencies": ["CPL"],
        "counters": None,
        "site": None,
        "ver": 1,
    }
    assert {name: claims[name] for name in says} == says
    assert claims["exp"] - claims["iat"] in (599, 600)
    assert claims["hold"] - claims["iat"] in (43_199, 43_200)


def test_a_device_signs_in_with_its_kind_as_role(staffed):
    subject = sign_in(staffed, f"kios@{staffed.regency}")
    assert (subject["role"], subject["agencies"], subject["site"]) == ("kiosk", None, None)


def test_a_device_that_is_bound_to_a_site_signs_in_for_that_site(staffed):
    identifier = f"kios@{staffed.regency}"
    staffed.do(entities.create, "site", "CreateSite", {**EXAMPLES["catalog"]["create_site"], "id": "sukadana"})
    staffed.do(entities.update, "device", "UpdateDevice", {"id": identifier, "site": "sukadana"})
    subject = sign_in(staffed, identifier)
    assert subject["site"] == "sukadana"


def test_an_operator_signs_in_to_no_regency(staffed):
    with staffed.database.platform_work() as work:
        assert add_operator(work, "ops@platform", "Operator", PASSWORD)
        assert not add_operator(work, "ops@platform", "Somebody else", "another password")
    subject = sign_in(staffed, "ops@platform")
    assert (subject["sub"], subject["role"], subject["regency"], subject["agencies"]) == ("ops@platform", "operator", None, None)
    assert refusal(staffed, "ops@platform", "another password") == ("credentials_invalid", {})


def test_the_operator_of_the_demonstration_signs_in_with_demo(staffed):
    add_demo_operator(staffed.database, "embedded")
    add_demo_operator(staffed.database, "embedded")
    assert sign_in(staffed, "operator@platform", "demo", embedded=True)["role"] == "operator"


def test_the_password_of_the_demonstration_opens_nothing_outside_embedded_mode(staffed):
    add_demo_operator(staffed.database, "embedded")
    assert refusal(staffed, "operator@platform", "demo") == ("credentials_invalid", {})


@pytest.mark.parametrize(
    "name",
    ["sari", "sari@", "@", "sari@{}@{}", "sari@atlantis", "sari@LAMPUNG", "sari@auth", "nobody@{}", "nobody@platform", "' OR 1=1 --@{}"],
)
def test_every_refusal_is_the_same(staffed, name):
    wrong_password = refusal(staffed, f"sari@{staffed.regency}", "something else")
    assert refusal(staffed, name.replace("{}", staffed.regency)) == wrong_password == ("credentials_invalid", {})


@pytest.mark.parametrize(("kind", "name"), [("account", "sari"), ("device", "kios")])
def test_a_deactivated_one_does_not_get_in(staffed, kind, name):
    identifier = f"{name}@{staffed.regency}"
    with staffed.work() as work:
        entities.update(work, kind, {"id": identifier, "active": False})
    assert refusal(staffed, identifier) == ("credentials_invalid", {})


def test_a_new_password_replaces_the_old_one(staffed):
    identifier = f"sari@{staffed.regency}"
    with staffed.work() as work:
        assert entities.update(work, "account", {"id": identifier, "password": "teh sore hari"})["version"] == 2
    assert refusal(staffed, identifier) == ("credentials_invalid", {})
    assert sign_in(staffed, identifier, "teh sore hari")["role"] == "officer"


def test_an_account_of_one_regency_is_unknown_in_another(staffed, another_catalogue):
    assert refusal(staffed, f"sari@{another_catalogue.regency}") == ("credentials_invalid", {})


def test_a_hash_with_older_parameters_is_renewed_when_the_password_is_known(staffed):
    identifier = f"sari@{staffed.regency}"
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with staffed.work() as work:
        credentials.replace_hash(work, known(work, identifier), old)
    refusal(staffed, identifier, "something else")
    with staffed.work() as work:
        assert known(work, identifier).password_hash == old
    sign_in(staffed, identifier)
    with staffed.work() as work:
        renewed = known(work, identifier).password_hash
        assert entities.get(work, "account", identifier)["version"] == 1
    assert not passwords.outdated(renewed)
    assert sign_in(staffed, identifier)["role"] == "officer"


def forgive(staffed, username):
    """Forget failed attempts, which would delay the next."""
    regency = domain.regency_of(username)
    if regency == "platform":
        with staffed.database.platform_work() as work:
            attempts.forget(work, username)
    elif regency:
        with staffed.work() as work:
            attempts.forget(work, username)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(staffed):
    def seconds(username):
        """Of the processor: what else the machine does counts for nobody."""
        started = time.process_time()
        refused = refusal(staffed, username, "something else")
        taken = time.process_time() - started
        assert refused == ("credentials_invalid", {})
        forgive(staffed, username)
        return taken

    names = [f"sari@{staffed.regency}", f"nobody@{staffed.regency}", "nobody", "nobody@platform"]
    rounds = [[seconds(name) for name in names] for _ in range(9)]
    known, *unknown = (min(durations) for durations in zip(*rounds, strict=True))
    assert all(least > known / 2 for least in unknown), (known, unknown)


@pytest.fixture
def occupied():
    """Other sign-ins have all turns."""
    with ExitStack() as turns:
        for _ in range(PERMITS):
            turns.enter_context(passwords.sign_in_turn(1.0))
        yield


def test_a_sign_in_waits_no_longer_than_its_caller_and_holds_no_connection_meanwhile(staffed, occupied, login_url):
    data = contracts.SignIn().load({"username": f"sari@{staffed.regency}", "password": PASSWORD})
    database = Database("catalog", login_url, pool_size=1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(use_cases().sign_in, database, CallContext(regency=None).within(0.5), data)
        with database.regency_work(staffed.regency, timeout=0.3, read_only=True) as work:
            assert entities.list_page(work, "agency", {"limit": 1})["items"]
        with pytest.raises(DeadlineExceeded):
            waiting.result(timeout=5)
    database.close()


def test_beyond_a_short_queue_sign_ins_are_refused_at_once(staffed, occupied, monkeypatch):
    monkeypatch.setattr(passwords._SIGN_INS, "_longest_queue", 0)
    with pytest.raises(Busy):
        sign_in(staffed, f"sari@{staffed.regency}")


def test_a_password_is_hashed_before_the_regency_is_locked(staffed, monkeypatch):
    hashing, go_on = threading.Event(), threading.Event()

    def slowly(password, seconds):
        hashing.set()
        assert go_on.wait(10)
        return passwords.hash_password(password, seconds)

    monkeypatch.setattr(entities, "hash_password", slowly)
    change = {"id": f"sari@{staffed.regency}", "password": "teh sore hari"}
    with ThreadPoolExecutor(1) as threads:
        changing = threads.submit(staffed.do, entities.update, "account", "UpdateAccount", change)
        assert hashing.wait(10)
        with staffed.database.regency_work(staffed.regency, timeout=2.0) as work:
            entities.update(work, "agency", {"id": "CPL", "name": "Dukcapil Lampung"})
        go_on.set()
        assert changing.result(timeout=10)["version"] == 2
