"""Problems of what cannot be done as things stand, or not now."""

from services.contracts.problems.problem import Problem

RULE_PROBLEMS: dict[str, Problem] = {
    "site_not_accepting": Problem(
        409,
        "MPP ini tidak menerima nomor antrean",
        "This site does not take numbers",
        "Hubungi MPP untuk mengetahui kapan layanan dibuka.",
        "Ask the site when it will open.",
    ),
    "site_closed": Problem(
        409,
        "MPP sedang tutup",
        "The site is closed now",
        "Ambil nomor pada jam buka; lihat jam buka MPP.",
        "Take a number within the opening hours of the site.",
    ),
    "day_closed": Problem(
        409,
        "Hari antrean ini sudah ditutup",
        "This queue day is closed",
        "Ambil nomor baru pada hari kerja berikutnya.",
        "Take a new number on the next working day.",
    ),
    "service_not_offered": Problem(
        409,
        "Layanan ini tidak ada di MPP ini",
        "The public service is not offered at this site",
        "Pilih layanan lain atau MPP lain.",
        "Choose another service or another site.",
    ),
    "service_inactive": Problem(
        409,
        "Layanan ini sedang tidak tersedia",
        "The public service is not available now",
        "Tanyakan di meja informasi.",
        "Ask at the front desk.",
    ),
    "counter_inactive": Problem(
        409,
        "Loket ini sedang tidak dipakai",
        "The counter is not in use",
        "Pilih loket lain, atau minta administrator mengaktifkannya.",
        "Choose another counter, or ask the administrator to activate it.",
    ),
    "counter_does_not_serve": Problem(
        409,
        "Loket ini tidak melayani layanan tersebut",
        "The counter does not serve this public service",
        "Panggil ke loket yang melayaninya.",
        "Call the ticket to a counter that serves it.",
    ),
    "counter_busy": Problem(
        409,
        "Loket masih melayani nomor lain",
        "The counter still has another ticket",
        "Selesaikan atau tandai tidak hadir nomor yang sekarang, lalu panggil lagi.",
        "Complete the present ticket or mark it as no-show, then call again.",
    ),
    "ticket_state_conflict": Problem(
        409,
        "Status nomor antrean tidak memungkinkan ini",
        "The state of the ticket does not allow this",
        "Statusnya sekarang {status}; tindakan ini berlaku untuk: {allowed}.",
        "It is {status} now; this can be done when it is: {allowed}.",
    ),
    "recall_limit_reached": Problem(
        409,
        "Nomor ini sudah dipanggil ulang sebanyak yang diizinkan",
        "The ticket was called again as often as allowed",
        "Tandai tidak hadir, lalu panggil nomor berikutnya.",
        "Mark it as no-show and call the next ticket.",
    ),
    "duplicate_id": Problem(
        409,
        "Sudah ada yang memakai id ini",
        "The id is taken",
        "Pilih id lain, atau ubah yang sudah ada.",
        "Choose another id, or change the existing object.",
    ),
    "prefix_taken": Problem(
        409,
        "Awalan nomor sudah dipakai instansi lain di MPP ini",
        "Another agency uses this prefix at the site",
        "Awalan {prefix} dipakai {agency}; pilih huruf lain.",
        "The prefix {prefix} is used by {agency}; choose other letters.",
    ),
    "in_use": Problem(
        409,
        "Masih dipakai, sehingga tidak dapat diubah begini",
        "It is in use and cannot be changed so",
        "Lepaskan dahulu dari: {users}.",
        "Release it first from: {users}.",
    ),
    "reference_unknown": Problem(
        422,
        "Isian merujuk ke sesuatu yang tidak ada",
        "The request refers to something that does not exist",
        "Periksa isian {field}.",
        "Check the field {field}.",
    ),
    "version_conflict": Problem(
        412,
        "Data sudah diubah orang lain",
        "Somebody else has changed the object",
        "Muat ulang, periksa perubahannya, lalu ulangi.",
        "Load it again, look at what changed, and repeat.",
    ),
}

AVAILABILITY_PROBLEMS: dict[str, Problem] = {
    "rate_limited": Problem(
        429,
        "Terlalu banyak permintaan",
        "Too many requests",
        "Coba lagi setelah {retry_after} detik.",
        "Try again after {retry_after} seconds.",
    ),
    "busy": Problem(
        503,
        "Layanan sedang sangat sibuk",
        "The service is very busy",
        "Coba lagi sebentar; nomor tidak akan terambil dua kali bila Idempotency-Key sama.",
        "Try again shortly; with the same Idempotency-Key nothing is done twice.",
    ),
    "deadline_exceeded": Problem(
        503,
        "Layanan tidak menjawab tepat waktu",
        "The service did not answer in time",
        "Coba lagi dengan Idempotency-Key yang sama, agar tidak terjadi dua kali.",
        "Try again with the same Idempotency-Key, so that nothing is done twice.",
    ),
    "service_unavailable": Problem(
        503,
        "Layanan sedang terganggu",
        "The service is not available at the moment",
        "Coba lagi sebentar dengan Idempotency-Key yang sama.",
        "Try again shortly with the same Idempotency-Key.",
    ),
    "unexpected": Problem(
        500,
        "Terjadi kesalahan pada sistem",
        "Something went wrong on our side",
        "Coba lagi; bila tetap gagal, sampaikan nomor permintaan ini kepada pengelola.",
        "Try again; if it fails again, give the request id to the operator.",
    ),
}
