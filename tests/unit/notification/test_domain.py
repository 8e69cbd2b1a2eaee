"""What a citizen is told, and in which words."""

import pytest

from services.contracts.examples import EXAMPLES
from services.contracts.notification import LOCALES, NOTICE_KINDS
from services.contracts.schema import PlainText
from services.contracts.subscriptions import EVENT_TYPES
from services.contracts.ticketing import OUTCOMES
from services.notification.domain import KINDS, Places, letter_of, parameters_of, text_of, wording_of

pytestmark = pytest.mark.unit

NAMED = Places(site="MPP Lampung Timur", counter="Loket 5")
UNNAMED = Places(site=None, counter=None)
CALLED = parameters_of(EXAMPLES["ticketing"]["ticket.called"]["ticket"])


def test_a_call_leads_to_the_counter():
    assert text_of("called", CALLED, NAMED, "id") == "Nomor E-012, silakan menuju Loket 5 di MPP Lampung Timur."
    assert text_of("called", CALLED, NAMED, "en") == "Number E-012, please go to Loket 5 at MPP Lampung Timur."


def test_places_without_a_name_are_called_by_their_id():
    assert text_of("called", CALLED, UNNAMED, "id") == "Nomor E-012, silakan menuju loket 05 di sukadana."
    assert text_of("recalled", CALLED, UNNAMED, "en") == "Called again: number E-012, please go to counter 05 at sukadana now."


def test_the_published_example_is_what_the_texts_say():
    issued, called = EXAMPLES["notification"]["notice_list"]["items"]
    waiting = parameters_of(EXAMPLES["ticketing"]["ticket.issued"]["ticket"])
    assert issued["text"] == text_of("issued", waiting, Places("MPP Lampung Timur", None), "id")
    assert called["text"] == text_of("called", CALLED, NAMED, "id")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_words_of_its_own(outcome):
    texts = {text_of("completed", {**CALLED, "outcome": other}, NAMED, "id") for other in OUTCOMES}
    assert len(texts) == len(OUTCOMES)
    assert "E-012" in text_of("completed", {**CALLED, "outcome": outcome}, NAMED, "en")


def test_a_completed_ticket_without_an_outcome_is_done():
    assert text_of("completed", CALLED, NAMED, "id") == text_of("completed", {**CALLED, "outcome": "done"}, NAMED, "id")


@pytest.mark.parametrize("places", [NAMED, UNNAMED], ids=["named", "unnamed"])
@pytest.mark.parametrize("kind", NOTICE_KINDS)
def test_every_kind_names_number_and_site_in_both_languages(kind, places):
    texts = [text_of(kind, {**CALLED, "counter": None}, places, locale) for locale in LOCALES]
    assert len(set(texts)) == len(LOCALES)
    for text in texts:
        assert "E-012" in text
        assert (places.site or "sukadana") in text
        assert "{" not in text
        assert PlainText(1000).deserialize(text) == text


def test_a_name_with_braces_is_a_name_like_any_other():
    odd = Places(site="MPP {number} {0}", counter="{site}")
    assert text_of("called", CALLED, odd, "id") == "Nomor E-012, silakan menuju {site} di MPP {number} {0}."


FACE_TO_FACE = {"ticket.serving_started", "ticket.held", "ticket.resumed", "ticket.priority_changed"}


def test_every_published_ticket_event_is_told_but_what_happens_face_to_face():
    untold = {name for name in EVENT_TYPES["ticketing"] if name.startswith("ticket.")} - KINDS.keys()
    assert untold == FACE_TO_FACE | {
        "ticket.reserved",
        "ticket.voided",
        "ticket.person_erased",
    }  # of these the first one's turn comes later
    assert set(KINDS.values()) == set(NOTICE_KINDS)


@pytest.mark.parametrize(("locale", "words"), [("id", "dialihkan ke layanan lain"), ("en", "transferred to another service")])
def test_who_is_sent_on_with_a_new_number_is_told_so_and_not_referred_elsewhere(locale, words):
    transferred = parameters_of(EXAMPLES["ticketing"]["ticket.transferred"]["ticket"])
    text = text_of("completed", transferred, NAMED, locale)
    assert words in text
    assert words in letter_of(wording_of("completed", transferred), text, "E-012", locale, public_url="").subject
    kept_before = {name: value for name, value in transferred.items() if name != "transferred"}
    assert text_of("completed", kept_before, NAMED, locale) == text_of("completed", {**CALLED, "outcome": "referred"}, NAMED, locale)


def test_parameters_hold_no_more_than_the_texts_need():
    assert CALLED == {"number": "E-012", "site": "sukadana", "counter": "sukadana-05", "outcome": None, "cancelled_by": None}


@pytest.mark.parametrize(("locale", "because"), [("id", "karena layanan ditutup hari ini"), ("en", "the service is closed today")])
def test_who_lost_the_number_to_a_closure_is_told_so(locale, because):
    assert because in text_of("cancelled", {**CALLED, "cancelled_by": "closure"}, Places(None, None), locale)
    kept_before = {name: value for name, value in CALLED.items() if name != "cancelled_by"}
    for parameters in ({**CALLED, "cancelled_by": "citizen"}, {**CALLED, "cancelled_by": "staff"}, kept_before):
        assert because not in text_of("cancelled", parameters, Places(None, None), locale)
