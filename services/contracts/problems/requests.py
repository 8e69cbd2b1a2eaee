"""Problems of the request as such, before anybody looks at what it asks for."""

from services.contracts.problems.problem import Problem

REQUEST_PROBLEMS: dict[str, Problem] = {
    "json_malformed": Problem(
        400,
        "Isi permintaan bukan JSON yang benar",
        "The request body is not valid JSON",
        "Kirim satu objek JSON dalam UTF-8, tanpa kunci ganda, dan tidak bertingkat terlalu dalam.",
        "Send one JSON object in UTF-8, without repeated keys, and not nested too deeply.",
    ),
    "header_invalid": Problem(
        400,
        "Header permintaan tidak benar",
        "A request header is not valid",
        "Perbaiki header {header}.",
        "Correct the header {header}.",
    ),
    "idempotency_key_invalid": Problem(
        400,
        "Idempotency-Key tidak benar",
        "The Idempotency-Key is not valid",
        "Gunakan 1 sampai 255 karakter ASCII yang dapat dicetak, misalnya sebuah UUID.",
        "Use 1 to 255 printable ASCII characters, such as a UUID.",
    ),
    "idempotency_key_reused": Problem(
        422,
        "Idempotency-Key sudah dipakai untuk permintaan lain",
        "The Idempotency-Key was used for another request",
        "Gunakan kunci baru untuk setiap permintaan yang berbeda.",
        "Use a new key for every different request.",
    ),
    "precondition_required": Problem(
        428,
        "Perubahan ini harus menyebut versi yang dilihat",
        "The change must say which version was seen",
        "Kirim header If-Match dengan ETag dari jawaban GET; `*` mengubah versi mana pun.",
        "Send the header If-Match with the ETag of the answer to GET; `*` changes whichever version there is.",
    ),
    "body_too_large": Problem(
        413,
        "Isi permintaan terlalu besar",
        "The request body is too large",
        "Kirim paling banyak {limit} bita.",
        "Send at most {limit} bytes.",
    ),
    "uri_too_long": Problem(
        414,
        "Alamat terlalu panjang",
        "The address is too long",
        "Persingkat alamat dan parameternya.",
        "Shorten the address and its parameters.",
    ),
    "headers_too_large": Problem(
        431,
        "Header permintaan terlalu besar",
        "The request headers are too large",
        "Kurangi jumlah atau panjang header, termasuk cookie.",
        "Send fewer or shorter headers, cookies included.",
    ),
    "media_type_unsupported": Problem(
        415,
        "Jenis isi permintaan tidak didukung",
        "The media type of the request is not supported",
        "Kirim JSON dengan header Content-Type: application/json.",
        "Send JSON with the header Content-Type: application/json.",
    ),
    "not_acceptable": Problem(
        406,
        "Jenis jawaban yang diminta tidak tersedia",
        "The requested media type is not available",
        "Terima {available} dan application/problem+json.",
        "Accept {available} and application/problem+json.",
    ),
    "path_unknown": Problem(
        404,
        "Alamat tidak dikenal",
        "There is nothing at this address",
        "Alamat yang ada tercantum di /openapi.json.",
        "The addresses that exist are listed in /openapi.json.",
    ),
    "method_not_allowed": Problem(
        405,
        "Metode tidak dapat dipakai pada alamat ini",
        "The method is not allowed at this address",
        "Metode yang dapat dipakai: {allowed}.",
        "Methods allowed here: {allowed}.",
    ),
    "parameter_invalid": Problem(
        422,
        "Parameter alamat tidak benar",
        "A parameter of the address is not valid",
        "Perbaiki parameter yang disebut di errors.",
        "Correct the parameters named in errors.",
    ),
    "payload_invalid": Problem(
        422,
        "Isian permintaan tidak benar",
        "The request has fields that are not valid",
        "Perbaiki isian yang disebut di errors, lalu kirim lagi.",
        "Correct the fields named in errors and send the request again.",
    ),
}
