"""The satisfaction survey (SKM) and its index (IKM), by PermenPANRB 14/2017.

The comment is read in one place only (`AnsweredSurvey`), and is in no event. Scores are keyed by element, never by position.
"""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.paging import PageQuery, items_of, next_cursor
from services.contracts.schema import Choice, ContractSchema, ListOf, MultilineText, Number, Part, Text, TrueOrFalse, WholeNumber
from services.contracts.values import AgencyCode, BusinessDate, Opaque, ServiceId, Slug, TicketId, Timestamp

ELEMENTS = (
    "requirements",
    "procedure",
    "time",
    "cost",
    "product",
    "competence",
    "behaviour",
    "complaint_handling",
    "facilities",
)
"""The nine elements (unsur) of the survey."""

WEIGHTS = ("exact", "0.111", "0.11")
"""What an element weighs in the index: 1/9, or a rounding of it that some regencies print."""

GRADES = ("A", "B", "C", "D")
LONGEST_COMMENT = 2000
MOST_ANSWERS = 1_000_000_000


def _score(about: str) -> WholeNumber:
    return WholeNumber(1, 4, about=about)


class SurveyScores(ContractSchema):
    """What a citizen says of each element, from 1 (bad) to 4 (very good); what was not answered is left out."""

    requirements = _score("Persyaratan.")
    procedure = _score("Sistem, mekanisme dan prosedur.")
    time = _score("Waktu penyelesaian.")
    cost = _score("Biaya atau tarif.")
    product = _score("Produk spesifikasi jenis pelayanan.")
    competence = _score("Kompetensi pelaksana.")
    behaviour = _score("Perilaku pelaksana.")
    complaint_handling = _score("Penanganan pengaduan, saran dan masukan.")
    facilities = _score("Sarana dan prasarana.")


class SubmitSurvey(ContractSchema):
    """What a citizen says of a visit, once, with the token of a completed ticket; at least one element is scored."""

    token = Opaque(required=True, about="The token that was given with the ticket.")
    scores = Part(SurveyScores, required=True, validate=shapes.at_least_one)
    comment = MultilineText(LONGEST_COMMENT, allow_none=True, load_default=None)


class Survey(ContractSchema):
    """An answered survey, without its comment."""

    id = TicketId(required=True)
    ticket = TicketId(required=True)
    site = Slug(required=True)
    agency = AgencyCode(required=True)
    service = ServiceId(required=True)
    business_date = BusinessDate(required=True, about="Of the visit; decides in which period the answer counts.")
    submitted_at = Timestamp(required=True)
    scores = Part(SurveyScores, required=True)


class SurveySubmitted(ContractSchema):
    """A citizen has answered the survey."""

    survey = Part(Survey, required=True)


class ListSurveys(PageQuery):
    """Answered surveys with their comments, newest first."""

    since = BusinessDate(about="First business date of the visits.")
    until = BusinessDate(about="Last business date of the visits.")
    site = Slug()
    agency = AgencyCode()
    service = ServiceId()


class AnsweredSurvey(ContractSchema):
    """An answer as those read it who are to learn from it: with the comment, and without the ticket, so that it stays anonymous."""

    id = TicketId(required=True)
    site = Slug(required=True)
    agency = AgencyCode(required=True)
    service = ServiceId(required=True)
    business_date = BusinessDate(required=True)
    submitted_at = Timestamp(required=True)
    scores = Part(SurveyScores, required=True)
    comment = MultilineText(LONGEST_COMMENT, required=True, allow_none=True)


class SurveyPage(ContractSchema):
    """A page of answered surveys."""

    items = items_of(AnsweredSurvey)
    next_cursor = next_cursor()


class SkmReport(ContractSchema):
    """The satisfaction index of visits from one business date to another, both included."""

    since = BusinessDate(required=True, about="First business date of the visits.")
    until = BusinessDate(required=True, about="Last business date of the visits.")
    site = Slug()
    agency = AgencyCode()
    service = ServiceId()
    weight = Choice(*WEIGHTS, load_default="exact", about="Weight of an element: 1/9, or a rounding of it that is to be printed.")


class ElementFigures(ContractSchema):
    """What was said of one element."""

    nrr = Number(1, 4, required=True, allow_none=True, about="Mean score (NRR), to four decimals; null: nobody answered.")
    answers = WholeNumber(0, MOST_ANSWERS, required=True)


def _element() -> Part:
    return Part(ElementFigures, required=True)


class SkmElements(ContractSchema):
    """What was said of each of the nine elements."""

    requirements = _element()
    procedure = _element()
    time = _element()
    cost = _element()
    product = _element()
    competence = _element()
    behaviour = _element()
    complaint_handling = _element()
    facilities = _element()


class SkmSample(ContractSchema):
    """Whether enough have answered (Krejcie and Morgan, 95 % confidence, 5 % margin)."""

    population = WholeNumber(0, MOST_ANSWERS, required=True, about="Visits of the period in which a ticket was completed.")
    required = WholeNumber(0, MOST_ANSWERS, required=True, about="Respondents that a population of this size asks for.")
    reached = TrueOrFalse(required=True, about="There are visits, and at least so many respondents as required.")


class SkmFigures(ContractSchema):
    """The satisfaction index (IKM) of some visits. Without an answer for every element there is no index and no grade."""

    from_ = BusinessDate(data_key="from", attribute="from", required=True)
    to = BusinessDate(required=True)
    site = Slug(required=True, allow_none=True, about="The site that was asked for; null: all.")
    agency = AgencyCode(required=True, allow_none=True, about="The agency that was asked for; null: all.")
    service = ServiceId(required=True, allow_none=True, about="The service that was asked for; null: all.")
    respondents = WholeNumber(0, MOST_ANSWERS, required=True)
    elements = Part(SkmElements, required=True)
    unanswered = ListOf(
        Choice(*ELEMENTS), most=len(ELEMENTS), required=True, about="Elements that nobody answered; while there is one, there is no index."
    )
    index = Number(0.9, 4, required=True, allow_none=True, about="Sum of NRR x weight, to four decimals.")
    ikm = Number(0, 100, required=True, allow_none=True, about="Index x 25, rounded once, half up, to two decimals.")
    grade = Choice(*GRADES, required=True, allow_none=True, about="Mutu pelayanan, by the rounded IKM.")
    weight = Text(max_length=10, required=True, about="What an element weighs in `index`: `1/9`, or the rounding asked for.")
    highest_ikm = Number(90, 100, required=True, about="IKM of nothing but 4s with this weight: less than 100 when it is rounded.")
    sample = Part(SkmSample, required=True)
