"""What figures are counted from, and how the satisfaction index is calculated. Plain calculation; the instant is passed in."""

from services.reporting.domain.facts import TicketFact, error_of_first_call, fact_of, local_date, rounded, seconds_in
from services.reporting.domain.satisfaction import (
    ELEMENTS,
    EXACT_WEIGHT,
    WEIGHTS,
    Satisfaction,
    Tally,
    grade_of,
    half_up,
    highest_ikm,
    sample_size,
    satisfaction,
)

__all__ = [
    "ELEMENTS",
    "EXACT_WEIGHT",
    "WEIGHTS",
    "Satisfaction",
    "Tally",
    "TicketFact",
    "error_of_first_call",
    "fact_of",
    "grade_of",
    "half_up",
    "highest_ikm",
    "local_date",
    "rounded",
    "sample_size",
    "satisfaction",
    "seconds_in",
]
