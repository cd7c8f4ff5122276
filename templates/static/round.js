// Says in the viewer's own time when a round opens or closes, counts down, and wakes the page up when it happens.
//
// The moment itself comes over the round's stream of events. Only where there is no stream does the page ask, and only
// once the moment has passed.

const RECONNECT_AFTER_MS = 3_000;
// A room full of phones must not load the page in the same instant.
const SPREAD_MS = 1_500;
const ASK_EVERY_MS = 5_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STATES = { draft: "Not open yet", open: "Open", closed: "Closed" };

const line = document.getElementById("when");
const countdown = document.getElementById("countdown");
const { round, events: query, wake } = line.dataset;
const words = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

let state = line.dataset.state;
let next = Date.parse(document.getElementById("when-moment").dateTime) || null;
let stream = null;
let waking = false;

const skew = clockSkew();
showMoment();
setInterval(tick, 1_000);
if (wake) {
  watch();
  setInterval(askIfLate, ASK_EVERY_MS);
} else {
  document.addEventListener("round", (event) => hear(event.detail));
}

/** By how much the viewer's clock is behind the server's: the page says when it was drawn. */
function clockSkew() {
  const [load] = performance.getEntriesByType("navigation");
  const arrived = performance.timeOrigin + (load?.responseStart ?? 0);
  return Number(line.dataset.now) - arrived;
}

function now() {
  return Date.now() + skew;
}

function watch() {
  stream = new EventSource(`/rounds/${round}/events${query}`);
  stream.addEventListener("round", (event) => hear(JSON.parse(event.data)));
  // Counts on a page that shows none: they are not hidden any more.
  stream.addEventListener("result", () => reload());
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) {
      setTimeout(watch, RECONNECT_AFTER_MS * (0.5 + Math.random()));
    }
  });
}

/** What the round is now. */
function hear(told) {
  const before = state;
  state = told.state;
  const moment = { draft: told.opens_at, open: told.closes_at }[state];
  next = moment ? Date.parse(moment) : null;
  showMoment();
  showTurnout(told.total);
  const isRevealed = told.hidden === false && document.getElementById("hidden-words") !== null;
  if (wake === "reload" && (state !== before || isRevealed)) reload();
  if (wake === "close" && state === "closed" && before !== "closed") close();
}

function showMoment() {
  line.hidden = next === null || state === "closed";
  if (next === null) return;
  const moment = document.getElementById("when-moment");
  moment.dateTime = new Date(next).toISOString();
  moment.textContent = words.format(next);
  document.getElementById("when-what").textContent = state === "draft" ? "Opens" : "Closes";
  tick();
}

function showTurnout(total) {
  const turnout = document.getElementById("turnout");
  if (!turnout || total === undefined) return;
  turnout.textContent = new Intl.NumberFormat("en").format(total);
  turnout.nextElementSibling.textContent = total === 1 ? "ballot" : "ballots";
}

function tick() {
  const text = next === null ? "" : left(next - now());
  if (countdown.textContent !== text) countdown.textContent = text;
}

function left(ms) {
  if (ms <= 0) return "any moment now";
  if (ms >= 2 * DAY_MS) return `in ${Math.floor(ms / DAY_MS)} days`;
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const seconds = Math.ceil(ms / 1_000);
  if (seconds >= 3_600) return `in ${Math.floor(seconds / 3_600)} h ${two((seconds % 3_600) / 60)} min`;
  return `in ${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}

/** Where no stream tells it: asks what the round is once its moment has passed. */
async function askIfLate() {
  const streams = stream?.readyState === EventSource.OPEN;
  if (streams || next === null || now() < next + 1_000 || state === "closed") return;
  try {
    const response = await fetch(`/rounds/${round}`, { headers: { Accept: "application/json" } });
    if (response.ok) hear(await response.json());
  } catch {
    // No answer: the next time.
  }
}

function reload() {
  if (waking) return;
  waking = true;
  setTimeout(() => location.reload(), Math.random() * SPREAD_MS);
}

/** The ballot stays on the page with its receipt: once the log is sealed, nobody can look it up any more. */
function close() {
  const badge = document.querySelector(".badge[data-state]");
  badge.dataset.state = "closed";
  badge.textContent = STATES.closed;
  const options = document.getElementById("options");
  if (options) options.disabled = true;
  document.querySelector(".send")?.remove();
  const closed = document.getElementById("closed");
  if (closed) closed.hidden = false;
}
