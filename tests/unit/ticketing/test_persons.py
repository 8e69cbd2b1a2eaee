"""What citizens say of themselves: checked by form, kept with a consent, sealed for one visit, masked."""

import pytest

from services.chassis.encryption import Keyring, KeyUnknown
from services.chassis.settings import Settings
from services.contracts.persons import ErasePersons, FindPersons
from services.contracts.schema import PayloadInvalid
from services.contracts.telephone import e164
from services.contracts.ticketing import IssueTicket
from services.ticketing import domain
from services.ticketing.domain import QueueRefusal
from services.ticketing.usecases import PersonKeys, recognised
from services.ticketing.usecases.sealing import opened_person, sealed_anew, sealed_person, searched

pytestmark = pytest.mark.unit

NIK, PHONE = "9999994101800001", "+6281200000177"
OLD, NEW = "an old secret of 32 characters...", "a new secret of 32 characters...."
VISIT, OTHER_VISIT = "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11", "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e12"
ASKED = {"site": "sukadana", "service": "CPL-KTP", "channel": "web"}
CONSENT = {"version": "2025-01-15", "purposes": ["identification", "contact"]}


def keys(*secrets: str, hashing: tuple[str, ...] = (OLD + "h",)) -> PersonKeys:
    return PersonKeys(Keyring(secrets), Keyring(hashing))


@pytest.mark.parametrize("nik", ["9999993102800001", "9999997112990000", "1807010101000001", "1807013002010001"])
def test_a_nik_is_taken_by_its_form_also_of_women_and_of_days_that_no_calendar_has(nik):
    assert IssueTicket().load({**ASKED, "nik": nik})["nik"] == nik


@pytest.mark.parametrize(
    "nik",
    [
        *("", "999999410180000", "99999941018000011", "9999990001800001", "9999993201800001", "9999997201800001", "9999994113800001"),
        *("0999994101800001", "999999 410180000", "٩999994101800001", 9999994101800001, None),
    ],
)
def test_what_is_no_nik_is_refused_without_being_repeated(nik):
    with pytest.raises(PayloadInvalid) as refused:
        IssueTicket().load({**ASKED, "nik": nik})
    [error] = refused.value.details["errors"]
    assert error["field"] == "nik"
    assert not nik or str(nik) not in str(refused.value.details)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0812-0000-0177", PHONE),
        ("081200000177", PHONE),
        ("62 812 0000 0177", PHONE),
        ("+62 (0)812.0000.0177", PHONE),
        ("0062812 00000177", PHONE),
        ("021 555 0100", "+62215550100"),
        ("+1 202 555 0100", "+12025550100"),
        ("81200000177", None),
        ("0812", None),
        ("+0812000001", None),
        ("+6281200000177123", None),
        ("08123456789012345", None),
    ],
)
def test_one_number_has_one_form_however_it_is_written(written, meant):
    assert e164(written) == meant


def test_a_telephone_number_that_is_none_is_refused_without_being_repeated():
    with pytest.raises(PayloadInvalid) as refused:
        IssueTicket().load({**ASKED, "contact": {"phone": "0812-99"}})
    assert "0812-99" not in str(refused.value.details)


@pytest.mark.parametrize(
    ("said", "consent", "missing"),
    [
        (["nik"], None, ["identification"]),
        (["nik", "phone"], {"version": "2025-01-15", "purposes": ["identification"]}, ["contact"]),
        (["phone"], {"version": "2025-01-15", "purposes": ["identification"]}, ["contact"]),
    ],
)
def test_nothing_is_kept_without_a_consent_to_what_it_is_for(said, consent, missing):
    with pytest.raises(QueueRefusal) as refused:
        domain.check_consent(said, consent)
    assert (refused.value.code, refused.value.details) == ("consent_required", {"missing": missing})
    domain.check_consent(said, CONSENT)


def test_what_is_sealed_is_read_for_its_visit_only_and_looks_different_each_time():
    ring = keys(NEW)
    one, other = sealed_person(ring, VISIT, NIK, PHONE), sealed_person(ring, VISIT, NIK, PHONE)
    assert opened_person(ring, VISIT, one.nik, one.phone) == {"nik": NIK, "phone": PHONE}
    assert (one.nik, one.phone) != (other.nik, other.phone)
    assert (one.nik_hash, one.phone_hash) == (other.nik_hash, other.phone_hash)
    with pytest.raises(KeyUnknown):
        opened_person(ring, OTHER_VISIT, one.nik, one.phone)
    with pytest.raises(KeyUnknown):
        opened_person(keys(OLD), VISIT, one.nik, one.phone)


def test_hashes_are_of_keys_of_their_own_and_found_while_both_keys_are_in_use():
    before, meanwhile = keys(OLD), keys(NEW, OLD, hashing=(NEW + "h", OLD + "h"))
    sealed = sealed_person(before, VISIT, NIK, PHONE)
    assert sealed.nik_hash in searched(meanwhile, {"nik": NIK})["nik"]
    assert sealed.phone_hash in searched(meanwhile, {"phone": "0812 0000 0177"})["phone"]
    assert sealed.nik_hash == sealed_person(keys(NEW), VISIT, NIK, None).nik_hash, "the other key has no part in it"
    renewed = sealed_anew(meanwhile, {"visit": VISIT, "nik": sealed.nik, "phone": sealed.phone})
    assert renewed is not None
    after = keys(NEW, hashing=(NEW + "h",))
    assert opened_person(after, VISIT, renewed["nik"], renewed["phone"]) == {"nik": NIK, "phone": PHONE}
    assert [renewed["nik_hash"]] == searched(after, {"nik": NIK})["nik"]
    assert sealed_anew(after, {"visit": VISIT, "nik": sealed.nik, "phone": sealed.phone}) is None


def test_masks_show_neither_birth_date_nor_region():
    assert domain.masked_nik(NIK) == "************0001"
    assert domain.masked_phone(PHONE) == "***********177"


def test_a_repeat_is_recognised_without_a_hash_that_could_be_tried_out():
    settings = Settings(ticket_token_secret=NEW)
    plain = IssueTicket().load(ASKED)
    assert recognised(settings, plain) == plain, "who says nothing is recognised as ever"
    said = IssueTicket().load({**ASKED, "nik": NIK, "contact": {"phone": "0812-0000-0177"}, "consent": CONSENT})
    kept = recognised(settings, said)
    assert kept == recognised(settings, said)
    assert kept != recognised(settings, {**said, "nik": "9999994101800002"})
    assert kept != recognised(Settings(ticket_token_secret=OLD), said)
    assert not any(text in str(kept) for text in (NIK, "0812", "177"))
    assert NIK not in str(recognised(settings, ErasePersons().load({"nik": NIK})))


@pytest.mark.parametrize("asked", [{}, {"nik": NIK, "phone": "0812-0000-0177"}])
def test_a_search_is_by_one_of_both(asked):
    with pytest.raises(PayloadInvalid):
        FindPersons().load(asked)
