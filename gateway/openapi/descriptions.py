"""What an operation does beyond its summary, for those that say nothing themselves; and what parameters mean.

Who may call, and what holds for all operations of a kind, is written from the route itself: it cannot go out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.route import Route, Text
from services.contracts.authorisation import OPERATOR, Scope

DESCRIPTIONS: dict[str, Text] = {
    "recordBreach": Text(
        "Segera setelah diketahui; `tell_by` menyatakan akhir dari 3 x 24 jam untuk memberi tahu (UU 27/2022 Pasal 46).",
        "As soon as it is known; `tell_by` says when the 3 x 24 hours end in which it must be told (UU 27/2022, Article 46).",
    ),
    "listBreaches": Text(
        "Yang terbaru lebih dahulu; `state=open`: lembaga atau orangnya belum diberi tahu.",
        "The newest first; `state=open`: the authority or the persons have not been told yet.",
    ),
    "getBreach": Text(
        "`overdue`: waktunya lewat dan masih ada yang belum diberi tahu.", "`overdue`: the time is over and somebody has not been told yet."
    ),
    "updateBreach": Text(
        "`authority_told_at` dan `persons_told_at` mencatat kapan lembaga dan orangnya diberi tahu; catatan tidak dapat dihapus.",
        "`authority_told_at` and `persons_told_at` record when the authority and the persons were told; nothing can be removed.",
    ),
    "getPerson": Text(
        "NIK dan nomor telepon disamarkan kecuali angka terakhir. `readable: false`: kunci penyandinya tidak ada lagi.",
        "NIK and telephone number are masked but for their last digits. `readable: false`: their key is not there any more.",
    ),
    "revealPerson": Text(
        "Setiap pembacaan tercatat di log audit: siapa, nomor siapa, kapan, tetapi bukan isinya.",
        "Each reading is in the audit log: who, whose ticket, when, and never what was read.",
    ),
    "exportPerson": Text(
        "Dari semua layanan: kunjungan, alamat surel, komentar survei. Bagi pemegang karcis disamarkan: karcis dapat ditemukan orang.",
        "From all services: visits, mail addresses, comments of surveys. Masked for who shows a slip: others may have found it.",
    ),
    "withdrawConsent": Text(
        "Data yang diberikan dihapus, juga langganan surel dan komentar survei; nomor antreannya tetap berlaku. Boleh diulang.",
        "What was given is erased, with subscriptions and comments of surveys; the ticket itself stays valid. It may be repeated.",
    ),
    "erasePerson": Text(
        "Juga bila tidak ada persetujuan: langganan surel, komentar survei. Layanan lain menyusul dalam hitungan detik; statistik tetap.",
        "Also where no consent was given: subscriptions and comments of surveys. Other services follow within seconds; figures stay.",
    ),
    "findPersons": Text(
        "NIK atau nomor telepon dikirim di badan permintaan, tidak pernah di alamat. Pencarian tercatat di log audit.",
        "NIK or telephone number stand in the body, never in the address. The search is in the audit log.",
    ),
    "exportPersons": Text(
        "Bagi orang yang sudah menunjukkan KTP kepada administrator: semua kunjungannya yang masih tersimpan, lengkap.",
        "For who has shown the card to an administrator: all visits that are still kept, in full.",
    ),
    "erasePersons": Text(
        "Semua kunjungan sekaligus; selama jawabannya `more: true`, kirim lagi.",
        "All visits at once; send it again while the answer says `more: true`.",
    ),
    "getHealth": Text(
        "Menjawab selama proses ini hidup, juga ketika layanan lain terganggu.",
        "Answers as long as this process lives, also while other services are away.",
    ),
    "getReadiness": Text(
        "503 `service_unavailable` menyebut di `failing` apa yang kurang; pengimbang beban lalu melewati gateway ini.",
        "503 `service_unavailable` names in `failing` what is missing; a load balancer then passes this gateway over.",
    ),
    "getMetrics": Text(
        "Semua metrik proses ini dalam format teks Prometheus; tanpa data pribadi.",
        "All metrics of this process in Prometheus' text format; they hold no personal data.",
    ),
    "getOpenapi": Text(
        "Ditulis dari tabel rute yang sama yang melayani permintaan; bahasanya mengikuti `Accept-Language`. Untuk manusia: `/docs`.",
        "Written from the same route table that serves requests; its language follows `Accept-Language`. For people: `/docs`.",
    ),
    "getAsyncapi": Text(
        "Semua peristiwa beserta skema dan contohnya, bagi sistem yang mendengarkan antrean atau menerima webhook.",
        "Every event with schema and example, for systems that listen to a queue or receive webhooks.",
    ),
    "listRegencies": Text(
        "Semua sekaligus: jumlahnya dibatasi oleh jumlah kabupaten dan kota di Indonesia.",
        "All at once: there are no more than the country has regencies and cities.",
    ),
    "getRegency": Text("Nama, kode wilayah dan zona waktu sebuah kabupaten.", "Name, area code and time zone of a regency."),
    "issueAccessToken": Text(
        "Jawabannya memuat token akses (10 menit) dan token penyegar (sekali pakai). Setelah lima kali salah, tunggu `Retry-After`.",
        "The answer holds an access token (ten minutes) and a refresh token (good once). After five failures wait for `Retry-After`.",
    ),
    "setPassword": Text(
        "Kata sandi minimal delapan karakter dan tidak mudah ditebak; semua sesi lain berakhir.",
        "A password has eight characters at least and is hard to guess; all other sessions end.",
    ),
    "beginPairing": Text(
        "Perangkat menampilkan `user_code`, administrator mengetiknya, dan perangkat menanyakan hasilnya dengan `device_code`.",
        "The device shows `user_code`, an administrator types it, and the device asks for the outcome with `device_code`.",
    ),
    "claimPairing": Text(
        "Tanyakan setiap `interval` detik selama jawabannya 400 `pairing_pending`.",
        "Ask every `interval` seconds as long as the answer is 400 `pairing_pending`.",
    ),
    "refreshAccessToken": Text(
        "Simpan token penyegar yang baru sebelum memakai yang lain. Token lama yang muncul lagi mengakhiri sesi; yang paling akhir boleh"
        " diulang dalam sepuluh detik bila jawabannya hilang.",
        "Keep the new refresh token before anything else. An old one that comes back ends the session; the last one may be shown again"
        " within ten seconds when its answer was lost.",
    ),
    "signOut": Text(
        "Berlaku di semua gateway dalam hitungan detik; dengan `everywhere` untuk semua sesi akun ini.",
        "Holds on every gateway within seconds; with `everywhere` for all sessions of the account.",
    ),
    "getKeys": Text(
        "Kunci Ed25519; token yang ditandatangani kunci lain tidak berlaku.",
        "Ed25519 keys; a token that another key has signed is not valid.",
    ),
    "pairDevice": Text(
        "Kode berlaku sepuluh menit; salah ketik dikenali dari huruf terakhirnya.",
        "The code is good for ten minutes; its last letter tells a typing error.",
    ),
    "signOutAccount": Text(
        "Semua token akun itu gugur di semua gateway dalam hitungan detik; kata sandinya tetap.",
        "All tokens of the account are void on every gateway within seconds; its password stays.",
    ),
    "signOutDevice": Text(
        "Semua token perangkat itu gugur dalam hitungan detik; setelah itu dipasangkan lagi.",
        "All tokens of the device are void within seconds; after that it is paired again.",
    ),
    "issueTicket": Text(
        "Jawabannya memuat nomor, tempat dalam antrean, perkiraan tunggu, dan `token` warga, satu-satunya kali itu ditunjukkan.",
        "The answer holds the number, the place in the queue, the estimated wait, and the citizen's `token`, which is shown this once.",
    ),
    "listTickets": Text("Menurut waktu pengambilan; tanpa `date` semua hari.", "In order of being taken; of all days without `date`."),
    "getTicket": Text(
        "Dengan `If-None-Match` jawabannya 304 selama tidak ada yang berubah, juga tempat dan perkiraannya.",
        "With `If-None-Match` the answer is 304 as long as nothing has changed, place and estimate included.",
    ),
    "callTicket": Text(
        "Di luar urutan, misalnya untuk warga yang sudah berdiri di loket; `call-next` memanggil menurut aturan.",
        "Out of turn, as for a citizen who stands at the counter; `call-next` calls by the rules.",
    ),
    "recallTicket": Text(
        "Layar dan pemberitahuan memanggil sekali lagi; jumlah dan jaraknya dibatasi kebijakan gedung.",
        "Displays and notices call once more; how often and how soon is limited by the site's policy.",
    ),
    "checkIn": Text(
        "Untuk kunjungan ke beberapa layanan: nomor yang dipesan mulai menunggu ketika warga siap.",
        "For a visit to several services: a reserved number begins to wait when the citizen is ready.",
    ),
    "undoCall": Text(
        "Hanya segera setelah dipanggil; nomor kembali ke tempatnya dan giliran loket dipulihkan.",
        "Only soon after the call; the number gets its place back, and the counter its turn.",
    ),
    "holdTicket": Text(
        "Misalnya bila berkasnya kurang: loket bebas, warga melanjutkan kemudian dengan `resume`.",
        "As when papers are missing: the counter is free, and the citizen goes on later with `resume`.",
    ),
    "resumeTicket": Text("Di loket mana pun yang melayani layanan itu.", "At any counter that serves the public service."),
    "returnTicket": Text(
        "Nomor yang dipanggil menunggu lagi: paling depan bila warga hanya terlambat, paling belakang bila ia mau.",
        "A number that was called waits again: first when the citizen was merely late, last when that is wanted.",
    ),
    "transferTicket": Text(
        "Nomor ini selesai sebagai dialihkan; jawabannya nomor yang baru, dengan token baru, dari kunjungan yang sama.",
        "This number ends as transferred; the answer is the new one, with a new token, of the same visit.",
    ),
    "rejoinTicket": Text(
        "Setelah tidak hadir, sebanyak yang diizinkan kebijakan gedung.",
        "After a no-show, as often as the site's policy allows.",
    ),
    "setPriority": Text(
        "Golongan menentukan jalur; alasannya tidak ditulis dalam log audit.",
        "The class decides the lane; why is not written into the audit log.",
    ),
    "confirmPrinting": Text(
        "Nomor yang karcisnya tidak tercetak dibatalkan, agar tidak ada yang menunggu tanpa karcis.",
        "A number whose slip was not printed is given back, so that nobody is waited for who holds none.",
    ),
    "startTicket": Text("Warga sudah di loket; waktu pelayanan mulai dihitung.", "The citizen is at the counter; serving begins to count."),
    "completeTicket": Text(
        "Dengan hasil pelayanan; bila ada yang diambil kemudian, tanggalnya. Layanan berikutnya dari kunjungan itu lalu menunggu.",
        "With the outcome; if something is to be collected, its date. The visit's next service waits from then on.",
    ),
    "markNoShow": Text("Loket bebas; warga dapat masuk lagi dengan `rejoin`.", "The counter is free; the citizen may `rejoin`."),
    "cancelTicket": Text(
        "Oleh warga dengan tokennya, atau petugas; yang sedang dilayani tidak dapat dibatalkan.",
        "By the citizen with the token, or by staff; one that is being served cannot be given back.",
    ),
    "openCounter": Text(
        "Seorang petugas membuka satu loket; penyelia dapat mengambil alih dengan `take_over`.",
        "An officer opens one counter; a supervisor may take over with `take_over`.",
    ),
    "pauseCounter": Text(
        "Loket tidak memanggil, petugasnya tetap tercatat di sana.", "The counter does not call; its officer still counts as being there."
    ),
    "closeCounter": Text("Nomor yang sedang di loket diselesaikan dahulu.", "The number at the counter is finished first."),
    "getDesk": Text(
        "Nomor yang sedang di loket, siapa berikutnya, dan berapa yang menunggu; untuk ditanyakan berulang dengan `If-None-Match`.",
        "The number at the counter, who is next, and how many wait; to be polled with `If-None-Match`.",
    ),
    "getMyCounter": Text("204 bila pemanggil tidak membuka loket mana pun.", "204 when the caller has no counter open."),
    "callNext": Text(
        "Menurut jalur prioritas dan giliran; 204 bila tidak ada yang menunggu. Nomor lama di loket diselesaikan dahulu.",
        "By priority lanes and turns; 204 when nobody waits. The number at the counter is finished first.",
    ),
    "getBoard": Text(
        "Nomor yang dipanggil, loket, dan antrean tiap layanan; pakai papan dengan `sequence` tertinggi. `live: false`: tidak ada yang tahu"
        " apa yang berubah sejak `as_of`.",
        "Numbers called, counters, and the queue of each service; keep the board with the highest `sequence`. `live: false`: nobody knows"
        " what has changed since `as_of`.",
    ),
    "listEvents": Text(
        "Bacalah terus dengan `after` = `next_cursor` atau `sequence` terakhir. 410 `events_gone` bila log tidak lagi sejauh itu.",
        "Read on with `after` = `next_cursor` or the last `sequence`. 410 `events_gone` when the log does not reach back so far.",
    ),
    "listEventStreams": Text(
        "Satu aliran tiap gedung dan satu untuk katalog.",
        "One stream for each site and one for the catalogue.",
    ),
    "listWebhooks": Text("Yang terbaru dahulu; rahasianya tidak ditunjukkan lagi.", "The newest first; their secrets are not shown again."),
    "createWebhook": Text(
        "Hanya alamat publik dengan https, kecuali pengelola mengizinkan yang lain.",
        "Public addresses over https only, unless the operator allows others.",
    ),
    "getWebhook": Text("Dengan statusnya dan apa yang terakhir gagal.", "With its state and what failed last."),
    "updateWebhook": Text("Yang sedang dikirim tidak berubah.", "What is on its way does not change."),
    "deleteWebhook": Text("Tidak dapat dibatalkan; untuk jeda ada `pause`.", "For good; to interrupt there is `pause`."),
    "rotateWebhookSecret": Text(
        "Selama sehari kedua rahasia menandatangani, sehingga penerima sempat berganti.",
        "For a day both secrets sign, so that the receiver has time to change.",
    ),
    "testWebhook": Text(
        "Dikirim seperti peristiwa lain, dan tercatat di `deliveries`.", "It is sent as any event is, and listed in `deliveries`."
    ),
    "pauseWebhook": Text("Yang terjadi sementara itu disimpan tujuh hari.", "What happens meanwhile is kept for seven days."),
    "resumeWebhook": Text("Yang menunggu menyusul menurut urutan.", "What has waited follows in order."),
    "listWebhookDeliveries": Text(
        "Percobaan, jawaban penerima, dan kapan dicoba lagi.", "Attempts, the receiver's answers, and when the next attempt is."
    ),
    "redeliverWebhook": Text("Penerima mengenali ulangan dari `webhook-id`.", "The receiver knows a repeat by its `webhook-id`."),
    "listDeliveries": Text("Tanpa isi dan tanpa alamat surel.", "Without contents and without e-mail addresses."),
    "redeliver": Text(
        "Surel yang `uncertain` hanya dikirim lagi bila seseorang memintanya di sini.",
        "A letter that is `uncertain` goes out again only when somebody asks here.",
    ),
    "createSubscription": Text(
        "Untuk seluruh kunjungan; alamat disimpan terenkripsi dan dihapus seminggu setelah kunjungan berakhir.",
        "For the whole visit; the address is stored encrypted and erased a week after the visit has ended.",
    ),
    "getSubscription": Text("Siapa pemilik alamat tidak dapat dibaca dari sini.", "Whose address it is cannot be read from here."),
    "deleteSubscription": Text("Seketika, untuk seluruh kunjungan.", "At once, for the whole visit."),
    "unsubscribe": Text(
        "Tautan dari surel, tanpa masuk; isi permintaan tidak dibaca.", "The link of a letter, without signing in; the body is not read."
    ),
    "getDailyReport": Text(
        "Dihitung dari peristiwa, menurut tanggal setempat; `as_of` menyebut sampai kapan.",
        "Counted from events, by local date; `as_of` tells until when.",
    ),
    "getSkmReport": Text(
        "Menurut Permenpan RB 14/2017; indeks muncul bila setiap unsur punya jawaban.",
        "By Permenpan RB 14/2017; the index appears when every element has an answer.",
    ),
    "listSurveys": Text("Tanpa nomor antrean yang dinilai.", "Without the number that was rated."),
    "submitSurvey": Text(
        "Token warga dikirim dalam isi permintaan; satu kunjungan dinilai satu kali.",
        "The citizen's token is sent in the body; a visit is rated once.",
    ),
    "listAudit": Text(
        "Dengan apa yang berbeda sebelum dan sesudahnya, dan dari jaringan mana.",
        "With what differs before and after, and from which network.",
    ),
    "exportAuditCsv": Text("Mengalir; tanpa batas jumlah baris.", "Streamed, however many rows there are."),
    "exportAuditNdjson": Text(
        "Setiap baris memuat hash baris sebelumnya; `mpp audit verify` memeriksanya.",
        "Each row holds the hash of the one before; `mpp audit verify` checks them.",
    ),
}

_OF_COLLECTIONS = {
    "list": Text("Menurut id, halaman demi halaman.", "In order of id, page by page."),
    "get": Text("`ETag` menyebut versinya, untuk `If-Match`.", "`ETag` names its version, for `If-Match`."),
    "create": Text(
        "Id dipilih pemanggil dan tidak berubah lagi; `Location` menyebut alamatnya.",
        "The caller chooses the id, which never changes; `Location` names the address.",
    ),
    "update": Text(
        "Hanya anggota yang dikirim berubah. `If-Match` wajib: 428 tanpa itu, 412 bila orang lain sudah mengubah.",
        "Only members that are sent change. `If-Match` is required: 428 without it, 412 when somebody else has changed the object.",
    ),
}

PARAMETERS: dict[str, Text] = {
    "regency": Text("Kabupaten, seperti dalam `GET /v1/regencies`.", "The regency, as in `GET /v1/regencies`."),
    "id": Text("Id objeknya.", "Id of the object."),
    "site": Text("Gedung MPP.", "The site."),
    "agency": Text("Instansi.", "The agency."),
    "service": Text("Layanan.", "The public service."),
    "counter": Text("Loket.", "The counter."),
    "webhook": Text("Webhook.", "The webhook."),
    "status": Text("Keadaan nomor antrean.", "State of the ticket."),
    "state": Text("Keadaan pengiriman.", "State of the delivery."),
    "channel": Text("Saluran pengiriman.", "Channel of the delivery."),
    "date": Text("Tanggal setempat.", "Local date."),
    "code": Text("Kode.", "The code."),
}

_SCOPES = {
    Scope.AGENCY: Text("Akun yang terikat pada instansi hanya untuk instansinya.", "An account bound to agencies acts for these only."),
    Scope.SITE: Text("Perangkat hanya untuk gedungnya.", "A device acts for its site only."),
    Scope.TICKET: Text("Pemegang token hanya untuk kunjungannya.", "The holder of a ticket's token acts for that visit only."),
}


def description_of(route: Route, language: str) -> str:
    """Return what an operation does, who may call it and what holds for its kind, as Markdown."""
    said = own_description(route)
    paragraphs = [] if said is None else [said.to(language)]
    paragraphs += [text.to(language) for text in (_callers(route), *(_SCOPES[scope] for scope in Scope if scope in route.rule.scopes))]
    paragraphs += [text.to(language) for text in _kind(route)]
    return "\n\n".join(paragraphs)


def own_description(route: Route) -> Text | None:
    """Return what somebody wrote about this very operation, or about those of its kind in the catalogue."""
    if route.description is not None or route.operation_id in DESCRIPTIONS:
        return route.description or DESCRIPTIONS[route.operation_id]
    if route.rpc is not None and route.rpc.service == "catalog":
        return _OF_COLLECTIONS.get(route.rpc.method.partition("_")[0])
    return None


def _callers(route: Route) -> Text:
    rule = route.rule
    if rule.any_regency:
        return Text("Untuk siapa saja, tanpa token.", "For everybody, without a token.")
    roles = ", ".join(f"`{role}`" for role in (*sorted(rule.roles - {OPERATOR}), *({OPERATOR} & rule.roles)))
    callers = Text(f"Peran: {roles}.", f"Roles: {roles}.")
    if rule.ticket_token:
        callers = Text(f"{callers.id} Juga dengan header `Ticket-Token`.", f"{callers.en} Also with the header `Ticket-Token`.")
    if rule.anonymous:
        callers = Text(f"{callers.id} Juga tanpa token.", f"{callers.en} Also without a token.")
    return callers


def _kind(route: Route) -> Iterator[Text]:
    if route.command:
        yield Text(
            "Kirim `Idempotency-Key`: selama 48 jam perintah yang diulang dengan kunci yang sama dijawab seperti semula"
            " (`Idempotency-Replayed: true`), tidak dilakukan lagi.",
            "Send an `Idempotency-Key`: for 48 hours a command that is repeated with the same key is answered as before"
            " (`Idempotency-Replayed: true`) and not done again.",
        )
    if route.paged:
        yield Text(
            "Halaman berikutnya: `cursor` = `next_cursor` dengan saringan yang sama; null di halaman terakhir. Yang ditambahkan"
            " sementara itu tidak menggeser atau menggandakan apa pun.",
            "The next page: `cursor` = `next_cursor` with the same filters; null on the last page. What is added meanwhile neither"
            " shifts nor doubles anything.",
        )
