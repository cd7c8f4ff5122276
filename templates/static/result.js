// Keeps the counts on a page current: the result page, the presenter view, and the frame in another site, which show
// more of them or less. The server has drawn the page complete: this only moves what changes.

const ANNOUNCE_EVERY_MS = 5_000;
const ANNOUNCED_LINES = 5;
const RECONNECT_AFTER_MS = 3_000;
const LEDGER = ["accepted", "counted", "replaced", "unreadable"];
const STATES = { draft: "Not open yet", open: "Open", closed: "Closed" };

const page = document.getElementById("result");
const lines = document.getElementById("lines");
const blankLine = document.getElementById("line").content.firstElementChild;
const connection = document.getElementById("connection");
const announcement = document.getElementById("announcement");
const numbers = new Intl.NumberFormat("en");

let drawn = { sequence: Number(page.dataset.sequence), generation: Number(page.dataset.generation) };
let latest = null;
let announcing = false;

const address = document.getElementById("address");
if (address) address.textContent = `${location.host}/vote/${page.dataset.round}`;
if (page.dataset.final !== "true") watch();

function watch() {
  const events = new EventSource(`/rounds/${page.dataset.round}/events${page.dataset.events ?? ""}`);
  events.addEventListener("open", () => setText(connection, ""));
  events.addEventListener("error", () => {
    setText(connection, "Reconnecting…");
    // The browser tries again by itself, except after an answer that was no stream, such as a 503.
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(watch, RECONNECT_AFTER_MS * (0.5 + Math.random()));
    }
  });
  events.addEventListener("result", (event) => {
    const result = JSON.parse(event.data);
    // The log only grows: whatever is older than the page comes from a server that is catching up, unless an operator has
    // put a recount in place.
    if (result.sequence < drawn.sequence && result.generation <= drawn.generation) return;
    drawn = result;
    draw(result);
    announce(result);
    // For round.js: when it closes.
    document.dispatchEvent(new CustomEvent("round", { detail: result }));
    if (result.final) events.close();
  });
  // Sent in place of counts that are not for this page any more.
  events.addEventListener("round", () => location.reload());
}

function draw(result) {
  const state = document.getElementById("state").firstElementChild;
  state.dataset.state = result.state;
  setText(state, STATES[result.state]);
  say("title", result.title);
  show("final", result.final);
  show("waiting", result.counting === "waiting");
  show("join", result.state === "open");
  say("eligibility", result.eligibility_description);
  drawLines(result.lines);
  drawCount("total", result.total);
  say("total-unit", unit(result.total, result.method));
  drawCount("sequence", result.sequence);
  drawCount("head", result.head);
  for (const name of LEDGER) drawCount(name, result.ledger[name]);
  show("unread", result.ledger.unreadable > 0);
}

// Options may still come and go while a round is a draft.
function drawLines(current) {
  const rows = new Map(Array.from(lines.rows, (row) => [row.dataset.option, row]));
  const most = Math.max(...current.map((line) => line.votes));
  for (const [place, line] of current.entries()) {
    const row = rows.get(line.option) ?? blankLine.cloneNode(true);
    // A row is moved only if it must be: moving it would cut its bar's transition short.
    if (lines.rows[place] !== row) lines.insertBefore(row, lines.rows[place] ?? null);
    row.dataset.option = line.option;
    row.classList.toggle("leading", most > 0 && line.votes === most);
    drawLine(row, line);
  }
  while (lines.rows.length > current.length) lines.lastElementChild.remove();
}

function drawLine(row, line) {
  const share = `${line.share.toFixed(1)}%`;
  setText(row.querySelector(".name"), line.label);
  setText(row.querySelector(".share span"), share);
  setText(row.querySelector(".number"), numbers.format(line.votes));
  setText(row.querySelector(".unit"), unit(line.votes));
  row.querySelector("rect").setAttribute("width", share);
}

function drawCount(id, count) {
  say(id, numbers.format(count));
}

/** Of one option, votes; of all together, ballots where a ballot may give a vote to several options. */
function unit(count, method) {
  const one = method === "approval" ? "ballot" : "vote";
  return count === 1 ? one : `${one}s`;
}

// Not every page shows everything.
function say(id, text) {
  const element = document.getElementById(id);
  if (element) setText(element, text);
}

function show(id, isShown) {
  const element = document.getElementById(id);
  if (element) element.hidden = !isShown;
}

// A live region speaks whenever it is written to, even with the words it already holds.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Tells a screen reader, at most every five seconds, and then the newest counts. */
function announce(result) {
  latest = result;
  if (announcing) return;
  announcing = true;
  speak();
  setTimeout(() => {
    announcing = false;
    if (latest !== result) announce(latest);
  }, ANNOUNCE_EVERY_MS);
}

function speak() {
  const leading = [...latest.lines].sort((a, b) => b.votes - a.votes).slice(0, ANNOUNCED_LINES);
  const counts = leading.map((line) => `${line.label} ${numbers.format(line.votes)}`).join(", ");
  const total = `${numbers.format(latest.total)} ${unit(latest.total, latest.method)}: ${counts}`;
  setText(announcement, latest.final ? `Final result, ${total}` : total);
}
