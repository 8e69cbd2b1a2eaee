"""Problems of who asks, and of what is not known."""

from services.contracts.problems.problem import Problem

ACCESS_PROBLEMS: dict[str, Problem] = {
    "credentials_invalid": Problem(
        401,
        "Nama pengguna atau kata sandi salah",
        "The user name or password is wrong",
        "Periksa keduanya; bila lupa, hubungi administrator MPP.",
        "Check both; if forgotten, ask the administrator of the site.",
    ),
    "session_ended": Problem(
        401,
        "Sesi Anda sudah berakhir",
        "Your session has ended",
        "Masuk kembali. Bila Anda tidak keluar sendiri, beri tahu administrator MPP.",
        "Sign in again. If you did not sign out yourself, tell the administrator of the site.",
    ),
    "token_missing": Problem(
        401,
        "Anda belum masuk",
        "You are not signed in",
        "Masuk lewat POST /v1/auth/token, lalu kirim tokennya di header Authorization.",
        "Sign in with POST /v1/auth/token and send the token in the header Authorization.",
    ),
    "token_invalid": Problem(
        401,
        "Sesi Anda tidak berlaku lagi",
        "Your session is not valid any more",
        "Perbarui lewat POST /v1/auth/refresh, atau masuk kembali.",
        "Renew it with POST /v1/auth/refresh, or sign in again.",
    ),
    "role_forbidden": Problem(
        403,
        "Peran Anda tidak boleh melakukan ini",
        "Your role may not do this",
        "Mintalah petugas dengan peran: {roles}.",
        "Ask somebody with the role: {roles}.",
    ),
    "regency_forbidden": Problem(
        403,
        "Akun Anda tidak berlaku di kabupaten ini",
        "Your account is not valid in this regency",
        "Gunakan akun dari kabupaten ini.",
        "Use an account of this regency.",
    ),
    "agency_forbidden": Problem(
        403,
        "Ini milik instansi lain",
        "This belongs to another agency",
        "Petugas hanya melayani loket dan layanan instansinya sendiri.",
        "An officer serves the counters and services of the own agency only.",
    ),
    "channel_not_allowed": Problem(
        403,
        "Nomor antrean tidak dapat diambil lewat saluran ini",
        "Numbers cannot be taken through this channel here",
        "Ambil nomor di kios atau meja informasi MPP.",
        "Take a number at the kiosk or the front desk of the site.",
    ),
    "ticket_token_invalid": Problem(
        403,
        "Token tiket tidak cocok",
        "The ticket token does not match",
        "Gunakan token yang diterima saat nomor diambil.",
        "Use the token given when the number was taken.",
    ),
}

UNKNOWN_PROBLEMS: dict[str, Problem] = {
    "regency_unknown": Problem(404, "Kabupaten tidak dikenal", "The regency is not known"),
    "site_unknown": Problem(404, "MPP tidak dikenal", "The site is not known"),
    "agency_unknown": Problem(404, "Instansi tidak dikenal", "The agency is not known"),
    "service_unknown": Problem(404, "Layanan tidak dikenal", "The public service is not known"),
    "hours_unknown": Problem(404, "Entri jam buka ini tidak dikenal", "The entry of special hours is not known"),
    "counter_unknown": Problem(404, "Loket tidak dikenal", "The counter is not known"),
    "account_unknown": Problem(404, "Akun tidak dikenal", "The account is not known"),
    "device_unknown": Problem(404, "Perangkat tidak dikenal", "The device is not known"),
    "ticket_unknown": Problem(
        404,
        "Nomor antrean tidak ditemukan",
        "The ticket is not known",
        "Periksa kembali, atau tanyakan di meja informasi.",
        "Check again, or ask at the front desk.",
    ),
    "stream_unknown": Problem(
        404,
        "Aliran peristiwa itu tidak ada di kabupaten ini",
        "This regency has no such event stream",
        "Aliran yang ada: GET /v1/{regency}/events/streams.",
        "Streams that exist: GET /v1/{regency}/events/streams.",
    ),
    "webhook_unknown": Problem(404, "Webhook tidak dikenal", "The webhook is not known"),
    "delivery_unknown": Problem(404, "Pengiriman tidak dikenal", "The delivery is not known"),
    "subscription_unknown": Problem(404, "Langganan tidak dikenal", "The subscription is not known"),
    "dead_letter_unknown": Problem(
        404,
        "Peristiwa gagal itu tidak ditemukan",
        "There is no such dead letter",
        "Lihat daftarnya dengan `mpp dead-letters list`.",
        "`mpp dead-letters list` shows those that exist.",
    ),
    "dead_letter_empty": Problem(
        409,
        "Isi peristiwa itu tidak dapat disimpan",
        "The content of this event could not be stored",
        "Peristiwa itu tidak dapat dicoba lagi; buang dengan `mpp dead-letters drop`.",
        "It cannot be tried again; `mpp dead-letters drop` gives it up.",
    ),
}
