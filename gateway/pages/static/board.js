// Keeps the board of the page live. The stream is read with fetch instead of EventSource, because fetch shows the
// heartbeats too: a line that has gone silent is noticed, and no wall shows old numbers as if they were new.

const SILENCE = 40_000; // ms; the gateway sends something at least every 15 s
const GRACE = 2_000; // ms; a gateway that restarts at once is not worth a notice
const LONGEST_PAUSE = 10_000;
const RESTORED = 60_000; // ms; an older board that is so much newer in time comes from a restored history
const CALLS_SHOWN = 6;
const LONG_NUMBER = 6;

const body = document.body;
const words = JSON.parse(body.dataset.words);
const locale = body.dataset.language === "en" ? "en-GB" : "id-ID";
const part = (name) => document.querySelector(`[data-board="${name}"]`);
const list = (name) => document.querySelector(`[data-list="${name}"]`);
const nobodyCalled = document.querySelector('[data-template="nobody-called"]').content.textContent;

let shown = { sequence: Number(body.dataset.sequence), as_of: body.dataset.asOf, live: true };
let timezone = body.dataset.timezone;
let connected = false;
let heardAt = Date.parse(shown.as_of);
let newestCall = null;

function put(parent, field, value) {
  const element = parent.querySelector(`[data-field="${field}"]`);
  if (element.textContent !== value) element.textContent = value;
}

function putNumber(parent, number) {
  put(parent, "number", number ?? "–");
  parent.querySelector('[data-field="number"]').classList.toggle("is-long", (number ?? "").length > LONG_NUMBER);
}

function piece(name) {
  return document.querySelector(`[data-template="${name}"]`).content.querySelector("[data-part]").cloneNode(true);
}

// Elements are changed where they stand: what is the same does not flicker and is not read out again.
function fill(parent, name, items, draw) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(piece(name));
  items.forEach((item, index) => draw(parent.children[index], item));
}

const clockOf = (instant) =>
  new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: timezone }).format(new Date(instant));

const dayOf = (instant) =>
  new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", timeZone: timezone }).format(new Date(instant));

const minutesOf = (seconds) => (seconds === null ? "–" : String(Math.ceil(seconds / 60)));

function isNewer(board) {
  if (board.sequence !== shown.sequence) {
    return board.sequence > shown.sequence || Date.parse(board.as_of) - Date.parse(shown.as_of) > RESTORED;
  }
  return Date.parse(board.as_of) >= Date.parse(shown.as_of);
}

function show(board) {
  const counters = new Map(board.counters.map((counter) => [counter.id, counter.name]));
  const services = new Map(board.services.map((service) => [service.id, service.name]));
  timezone = board.timezone;
  part("name").textContent = board.name;
  fill(list("closures"), "closure", board.closures ?? [], (row, closure) => {
    put(row, "what", closure.agency ? words.agency_closed.replace("{agency}", closure.agency) : words.closed);
    put(row, "opens", closure.opens_at ? words.opens.replace("{time}", `${dayOf(closure.opens_at)}, ${clockOf(closure.opens_at)}`) : "");
  });
  showNewest(board.calls[0], counters, services, board);
  fill(list("calls"), "call", board.calls.slice(1, CALLS_SHOWN), (row, call) => {
    put(row, "number", call.number);
    put(row, "counter", counters.get(call.counter) ?? call.counter);
    put(row, "time", clockOf(call.called_at));
  });
  part("earlier").hidden = board.calls.length < 2;
  fill(list("counters"), "counter", board.counters, (card, counter) => {
    const state = counter.called ? "called" : counter.serving ? "serving" : "free";
    card.className = `counter is-${state}`;
    put(card, "name", counter.name);
    putNumber(card, (counter.called ?? counter.serving)?.number);
    put(card, "state", words[state]);
  });
  // Those for whom somebody waits come first: a wall does not scroll.
  const inUse = board.services.filter((service) => service.last_issued !== null).sort((a, b) => (b.waiting > 0) - (a.waiting > 0));
  fill(list("services"), "service", inUse, (row, service) => {
    put(row, "name", service.name);
    put(row, "waiting", String(service.waiting));
    put(row, "last", service.last_called ?? "–");
    put(row, "estimate", minutesOf(service.estimated_wait_seconds));
  });
  part("queues").hidden = inUse.length === 0;
  part("nobody").hidden = inUse.length > 0;
}

function showNewest(call, counters, services, board) {
  const place = part("newest");
  putNumber(place, call?.number);
  place.classList.toggle("is-empty", !call);
  put(place, "counter", call ? (counters.get(call.counter) ?? call.counter) : nobodyCalled);
  put(place, "service", call ? (services.get(call.service) ?? call.service) : "");
  const there = call && board.counters.find((counter) => counter.id === call.counter)?.called;
  const recalls = there && there.number === call.number ? there.recalls : 0;
  const key = call ? `${board.business_date} ${call.number} ${call.called_at} ${recalls}` : "";
  if (newestCall !== null && key && key !== newestCall) {
    place.classList.remove("is-new");
    void place.offsetWidth; // so that the animation begins again
    place.classList.add("is-new");
  }
  newestCall = key;
}

function showStatus() {
  const stale = !shown.live || (!connected && Date.now() - heardAt > GRACE);
  const waiting = !connected && !stale;
  const since = shown.live ? heardAt : Date.parse(shown.as_of);
  const status = part("status");
  const text = stale ? words.stale.replace("{time}", clockOf(since)) : waiting ? words.connecting : words.live;
  if (status.textContent !== text) status.textContent = text;
  status.className = `status ${stale ? "is-stale" : "is-live"}`;
  body.classList.toggle("is-stale", stale);
}

function showClock() {
  const now = new Date();
  part("clock").textContent = clockOf(now);
  part("date").textContent = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", timeZone: timezone }).format(now);
}

function take(event) {
  const lines = event.split("\n");
  const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
  if (!data || !lines.includes("event: board")) return;
  const board = JSON.parse(data);
  if (!isNewer(board)) return;
  shown = board;
  show(board);
}

async function follow() {
  const abort = new AbortController();
  let silence = setTimeout(() => abort.abort(), SILENCE);
  try {
    const answer = await fetch(body.dataset.stream, {
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(shown.sequence) },
      signal: abort.signal,
      cache: "no-store",
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE);
      heardAt = Date.now();
      connected = true;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      events.forEach(take);
      showStatus();
    }
  } finally {
    clearTimeout(silence);
    abort.abort();
    connected = false;
    showStatus();
  }
}

async function keepFollowing() {
  let failures = 0;
  for (;;) {
    const began = Date.now();
    try {
      await follow();
    } catch {
      // the pause below and the status on the page say enough
    }
    failures = Date.now() - began > 10_000 ? 0 : failures + 1;
    const pause = Math.min(LONGEST_PAUSE, 250 * 2 ** failures) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      window.addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}

showClock();
setInterval(() => { showClock(); showStatus(); }, 1000);
keepFollowing();
