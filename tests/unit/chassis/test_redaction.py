"""What citizens write into free text keeps its sense and loses the numbers that name somebody."""

import pytest

from services.contracts.redaction import without_numbers

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("NIK saya 9999994101800001, tolong.", "NIK saya (…), tolong."),
        ("9999 9941 0180 0001", "(…)"),
        ("Hubungi 0812-0000-0177 atau +62 (812) 0000 0177.", "Hubungi (…) atau (…)."),
        ("telp.081200001", "telp.(…)"),
        ("٩٩٩٩٩٩٤١٠١٨٠٠٠٠١", "(…)"),
    ],
)
def test_numbers_of_people_are_hidden_however_they_are_spaced(written, kept):
    assert without_numbers(written) == kept


@pytest.mark.parametrize("text", ["", "Bayar Rp100.000.000 pada 11-06-2025 pukul 08.30", "Loket 5, nomor E-012, 3 x 4", "12345678"])
def test_prices_dates_and_numbers_of_tickets_stay(text):
    assert without_numbers(text) == text
