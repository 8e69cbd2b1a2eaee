"""What a field can break, and how to say so in Indonesian and English.

An error of one field travels as ``{"field", "rule", "parameters", "message"}``: the rule is the stable name,
``message`` its English text for logs, and whoever answers a person asks `message` for the language of that person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.contracts.redaction import without_numbers

MOST_ERRORS = 50
"""So many errors are reported of one payload; a hostile body may break thousands of rules."""

LONGEST_FIELD_NAME = 100

RULES: dict[str, tuple[str, str]] = {
    # rules between fields and between entities, which the services check
    "enforced_hours_missing": (
        "Isi jam buka sedikitnya untuk satu hari.",
        "Needs opening hours on at least one day.",
    ),
    "presence_repeated": ("Instansi ini tercantum dua kali di {site}.", "The agency stands twice at {site}."),
    "agency_absent": ("Instansi {agency} tidak ada di {site}.", "The agency {agency} is not at {site}."),
    "service_of_other_agency": (
        "Layanan ini milik instansi {owner}, bukan {agency}.",
        "This service belongs to agency {owner}, not to {agency}.",
    ),
    "username_of_another_regency": ("Harus diakhiri dengan @{regency}.", "Must end with @{regency}."),
    "another_regency": ("Harus {regency}.", "Must be {regency}."),
    "password_is_username": ("Harus berbeda dari nama pengguna.", "Must differ from the username."),
    "password_guessable": (
        "Terlalu mudah ditebak; rangkai beberapa kata yang tidak berhubungan.",
        "Too easy to guess; string some unrelated words together.",
    ),
    "one_proof": (
        "Isi salah satu: kata sandi yang sekarang, atau kode sekali pakai.",
        "Fill in one of two: the present password, or a one-time code.",
    ),
    "pairing_code": (
        "Bukan kode perangkat; ketik kedelapan huruf seperti yang tampil di layarnya.",
        "Not a device's code; type its eight letters as the screen shows them.",
    ),
    "demo_password": (
        "Kata sandi percobaan hanya untuk mode embedded; pilih yang lain.",
        "The demonstration's password is for embedded mode only; choose another one.",
    ),
    "url_not_https": ("Harus diawali https://.", "Must begin with https://."),
    "url_with_password": ("Tidak boleh memuat nama pengguna atau kata sandi.", "Must not hold a user name or password."),
    "url_host": (
        "Nama host tidak benar; gunakan nama domain, atau alamat IP dalam bentuk biasa.",
        "The host is not valid; use a domain name, or an IP address in its usual form.",
    ),
    "url_port": ("Port harus antara 1 dan 65535.", "The port must be between 1 and 65535."),
    "url_fragment": ("Hapus bagian setelah tanda #.", "Leave out the part behind #."),
    "url_internal": (
        "Alamat ini berada di jaringan internal dan tidak boleh dihubungi.",
        "This address is in an internal network, which must not be reached.",
    ),
    "event_type_unpublished": (
        "Jenis peristiwa ini tidak ada; yang ada: {known}.",
        "There is no such event type; there are: {known}.",
    ),
    "requires_itself": ("Layanan tidak boleh mensyaratkan dirinya sendiri.", "A service must not require itself."),
    "collected_at_once": (
        "Hanya untuk hasil collect_later (diambil kemudian).",
        "Only together with the outcome collect_later.",
    ),
    "before_start": ("Tidak boleh sebelum {start}.", "Must not be before {start}."),
    "site_timezone_unknown": (
        "Sebutkan tanggalnya; zona waktu MPP ini belum diketahui.",
        "Name the date; the time zone of this site is not known yet.",
    ),
    # shapes of single fields
    "nothing_given": ("Isi sedikitnya satu.", "Fill in at least one."),
    "required": ("Wajib diisi.", "This field is required."),
    "unknown": ("Isian ini tidak dikenal; hapuslah.", "This field is not known here; leave it out."),
    "null": ("Tidak boleh kosong (null).", "Must not be null."),
    "not_object": ("Harus berupa objek JSON.", "Must be a JSON object."),
    "not_list": ("Harus berupa daftar (array) JSON.", "Must be a JSON array."),
    "not_text": ("Harus berupa teks.", "Must be a string."),
    "not_integer": ("Harus berupa bilangan bulat, tanpa tanda kutip.", "Must be an integer, without quotes."),
    "not_number": ("Harus berupa bilangan, tanpa tanda kutip.", "Must be a number, without quotes."),
    "not_boolean": ("Harus true atau false, tanpa tanda kutip.", "Must be true or false, without quotes."),
    "unreadable_characters": (
        "Memuat karakter yang tidak dapat ditampilkan (misalnya NUL); hapuslah.",
        "Holds characters that cannot be shown (such as NUL); remove them.",
    ),
    "too_short": ("Paling sedikit {min} karakter.", "Must have at least {min} characters."),
    "too_long": ("Paling banyak {max} karakter.", "Must have at most {max} characters."),
    "too_few": ("Paling sedikit {min} butir.", "Must have at least {min} items."),
    "too_many": ("Paling banyak {max} butir.", "Must have at most {max} items."),
    "repeated": ("Setiap butir hanya boleh muncul sekali.", "No item may appear twice."),
    "out_of_range": ("Harus antara {min} dan {max}.", "Must be between {min} and {max}."),
    "one_of": ("Harus salah satu dari: {choices}.", "Must be one of: {choices}."),
    "blank_start": ("Harus diawali huruf, angka atau tanda, bukan spasi.", "Must not be blank or begin with a space."),
    "word": (
        "Gunakan huruf kecil, dengan garis bawah di antara kata, misalnya call_ticket.",
        "Use lower-case letters, with underscores between words, such as call_ticket.",
    ),
    "slug": (
        "Huruf kecil, angka dan tanda hubung, diawali huruf, misalnya lampung-timur.",
        "Lower-case letters, digits and hyphens, beginning with a letter, such as lampung-timur.",
    ),
    "agency_code": (
        "Dua sampai delapan huruf besar atau angka, misalnya CPL.",
        "Two to eight capital letters or digits, such as CPL.",
    ),
    "service_code": (
        "Dua sampai delapan huruf besar atau angka, misalnya KTP.",
        "Two to eight capital letters or digits, such as KTP.",
    ),
    "service_id": (
        "Kode instansi dan kode layanan dengan tanda hubung, misalnya CPL-KTP.",
        "Agency code and service code with a hyphen, such as CPL-KTP.",
    ),
    "counter_id": (
        "Nama MPP dan nomor loket dengan tanda hubung, misalnya sukadana-05.",
        "Site and counter number with a hyphen, such as sukadana-05.",
    ),
    "account_id": (
        "Nama dan kabupaten dengan @, misalnya officer@lampung-timur.",
        "Name and regency with an @, such as officer@lampung-timur.",
    ),
    "prefix": ("Satu atau dua huruf besar, misalnya A.", "One or two capital letters, such as A."),
    "ticket_number": ("Huruf awalan dan angka, misalnya A-012.", "Prefix and digits, such as A-012."),
    "uuid": (
        "Harus berupa UUID dengan huruf kecil.",
        "Must be a UUID in lower case, such as 7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11.",
    ),
    "regency_code": ("Kode Kemendagri, misalnya 18.07.", "Code of the Ministry of Home Affairs, such as 18.07."),
    "timestamp": (
        "Waktu dengan selisih zona, misalnya 2025-06-11T08:00:00+07:00.",
        "Time with offset (RFC 3339), such as 2025-06-11T08:00:00+07:00.",
    ),
    "date": ("Tanggal yang ada, misalnya 2025-06-11.", "A date that exists, such as 2025-06-11."),
    "partial_date": (
        "Tahun, bulan atau tanggal, misalnya 2025, 2025-06 atau 2025-06-11.",
        "Year, month or date, such as 2025, 2025-06 or 2025-06-11.",
    ),
    "local_time": ("Jam setempat HH:MM, misalnya 08:00.", "Local time HH:MM, such as 08:00."),
    "timezone": ("Zona waktu IANA, misalnya Asia/Jakarta.", "An IANA time zone, such as Asia/Jakarta."),
    "closes_before_opening": ("Jam tutup harus setelah jam buka.", "Must be later than the opening time."),
    "ends_before_it_begins": ("Hari terakhir tidak boleh sebelum hari pertama.", "The last day must not be before the first."),
    "overlapping_hours": (
        "Jam buka harus berurutan dan tidak bertumpuk.",
        "Opening hours must be in order and not overlap.",
    ),
    "opaque": ("Isi tidak dapat dibaca; gunakan nilai yang diberikan sistem.", "Use the value as the system gave it."),
    "stream_source": ("Nama aliran peristiwa.", "A stream, such as /regencies/lampung-timur/ticketing/sites/sukadana."),
    "event_type": ("Jenis peristiwa, misalnya mpp.ticket.called.", "An event type, such as mpp.ticket.called."),
    "sequence_seen": ("Urutan: 1 sampai 20 angka.", "A sequence: 1 to 20 digits."),
    "url": ("Alamat lengkap, misalnya https://mpp.example.id/kejadian.", "A full address, such as https://mpp.example.id/events."),
    "event_filter": (
        "Jenis peristiwa (ticket.called), semua dari satu kelompok (ticket.*) atau semua (*).",
        "An event type (ticket.called), all of an aggregate (ticket.*), or all (*).",
    ),
    "email_address": ("Alamat surel, misalnya budi@example.id.", "An e-mail address, such as budi@example.id."),
    "nik": ("Enam belas angka NIK seperti pada KTP.", "The sixteen digits of the NIK as on the card."),
    "phone_number": ("Nomor telepon, misalnya 0812-3456-7890.", "A telephone number, such as 0812-3456-7890 or +62 812 3456 7890."),
    "one_search_term": ("Isi salah satu: NIK atau nomor telepon.", "Fill in one of two: NIK or telephone number."),
    "sequence": ("Nomor urut 20 angka.", "A sequence of 20 digits."),
    "traceparent": ("Traceparent menurut W3C Trace Context.", "A traceparent of W3C Trace Context."),
    "queue": ("Nama antrean pesan, misalnya ticketing.catalog.", "A queue, such as ticketing.catalog."),
    "counter_of_another_site": ("Nomor loket tidak sesuai dengan MPP.", "Must be the site and number of the counter."),
    "service_of_another_agency": ("Tidak sesuai dengan kode instansi.", "Must be the agency and code of the service."),
}


class Message(str):
    """English text of a broken rule that remembers the rule and its figures."""

    __slots__ = ("parameters", "rule")

    rule: str
    parameters: dict[str, Any]

    def __new__(cls, rule: str, **parameters: Any) -> Message:
        text = super().__new__(cls, RULES[rule][1].format(**parameters))
        text.rule = rule
        text.parameters = parameters
        return text

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.rule,), self.parameters


def messages(**rules: str) -> dict[str, Any]:
    """Error messages by marshmallow's name of the error: ``messages(invalid="not_text")``."""
    return {name: Message(rule) for name, rule in rules.items()}


def message(error: Mapping[str, Any], locale: str = "id") -> str:
    """The text of one error of `errors_of` in Indonesian (``id``) or English (``en``).

    An error whose rule is not known here (from a newer service) keeps the text it came with.
    """
    texts = RULES.get(str(error.get("rule")))
    if texts is None:
        return str(error.get("message", ""))
    try:
        return texts[1 if locale == "en" else 0].format(**error.get("parameters", {}))
    except (KeyError, IndexError):
        return str(error.get("message", ""))


def errors_of(messages: Any) -> list[dict[str, Any]]:
    """Flatten marshmallow's nested messages into at most `MOST_ERRORS` errors.

    ``field`` is a path such as ``hours.monday.0.open``; it is empty when the payload as a whole is wrong.
    """
    found: list[dict[str, Any]] = []
    for path, text in _walk(messages, ""):
        rule = getattr(text, "rule", "invalid")
        parameters = getattr(text, "parameters", {})
        found.append({"field": path, "rule": rule, "parameters": parameters, "message": str(text)})
        if len(found) == MOST_ERRORS:
            break
    return found


def _walk(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, str):
        yield path, messages
    elif isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _walk(inner, _joined(path, key))
    else:
        for inner in messages:
            yield from _walk(inner, path)


def _joined(path: str, key: Any) -> str:
    if key == "_schema":
        return path
    # A field name is the caller's text: it must survive UTF-8, JSON and a log line, and a NIK in it is not repeated.
    name = without_numbers("".join(c if c.isprintable() else "?" for c in str(key)[:LONGEST_FIELD_NAME]))
    return f"{path}.{name}" if path else name
