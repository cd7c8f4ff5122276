// Makes the organiser's pages pleasant. All of them work without it: forms are sent, and the server draws them anew.

const LOOK_EVERY_MS = 4_000;

const two = (number) => String(number).padStart(2, "0");
const all = (selector, inside = document) => Array.from(inside.querySelectorAll(selector));

// --- Moments: written in the zone of whoever looks, sent in UTC.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const words = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

function tellTimesHere(inside) {
  for (const time of all("time[datetime]", inside)) time.textContent = words.format(new Date(time.dateTime));
}

/** A moment as a field shows it: the clock on the wall, without a zone. */
function onTheWall(moment) {
  const date = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  const seconds = moment.getSeconds() ? `:${two(moment.getSeconds())}` : "";
  return `${date}T${two(moment.getHours())}:${two(moment.getMinutes())}${seconds}`;
}

function writeHere(field) {
  const input = field.querySelector("input");
  const sent = document.createElement("input");
  sent.type = "hidden";
  sent.name = input.name;
  sent.value = input.value;
  sent.disabled = input.disabled;
  input.removeAttribute("name");
  const moment = new Date(`${input.value}Z`);
  if (input.value && !Number.isNaN(moment.getTime())) input.value = onTheWall(moment);
  input.addEventListener("change", () => {
    const chosen = new Date(input.value);
    sent.value = Number.isNaN(chosen.getTime()) ? "" : chosen.toISOString();
  });
  input.after(sent);
  field.querySelector(".zone").textContent = `(${zone})`;
}

// --- The options of a round: added, moved and removed without the server.

// As many as a round may have: the server refuses more as well.
const OPTIONS_MAX = 100;

const rows = document.getElementById("option-rows");
const blank = document.getElementById("blank-option");

function renumber() {
  for (const [index, row] of Array.from(rows.children).entries()) {
    for (const place of all(".place", row)) place.textContent = index + 1;
    for (const button of all("button[name=do]", row)) {
      button.value = button.value.replace(/\d+$/, String(index + 1));
    }
  }
}

/** Tells a screen reader what was done; and everybody, below the options, why something was not. */
function say(text, isRefusal = false) {
  const line = document.getElementById("moved");
  line.className = isRefusal ? "wrong" : "unseen";
  line.textContent = text;
}

function add() {
  if (rows.children.length >= OPTIONS_MAX) {
    return say(`Options must be at most ${OPTIONS_MAX}: remove one before you add another.`, true);
  }
  rows.append(blank.content.cloneNode(true));
  renumber();
  const label = rows.lastElementChild.querySelector("[name=option_label]");
  label.focus();
  say(`Option ${rows.children.length} is added.`);
}

function move(row, deed) {
  const neighbour = deed === "up" ? row.previousElementSibling : row.nextElementSibling;
  if (!neighbour) return "";
  if (deed === "up") neighbour.before(row);
  else neighbour.after(row);
  renumber();
  return `It is option ${Array.from(rows.children).indexOf(row) + 1} now.`;
}

function remove(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  renumber();
  (next?.querySelector("[name=option_label]") ?? document.querySelector("[value=add]")).focus();
  return "The option is removed.";
}

function rearrange(event) {
  const button = event.target.closest("button[name=do]");
  const [deed] = button?.value.split("-") ?? [];
  if (!["add", "up", "down", "remove"].includes(deed)) return;
  event.preventDefault();
  const row = button.closest(".option-row");
  if (deed === "add") add();
  else if (deed === "remove") say(remove(row));
  else {
    say(move(row, deed));
    button.focus();
  }
  written = true;
}

// --- What is written and not saved is not lost by mistake.

let written = false;

function watchWriting(form) {
  form.addEventListener("input", () => {
    written = true;
  });
  form.addEventListener("click", rearrange);
  form.addEventListener("submit", () => {
    written = false;
  });
  addEventListener("beforeunload", (event) => {
    if (written) event.preventDefault();
  });
}

// --- Pictures: the server refuses one that is too large as well, but only when it is on its way.

const PICTURE_MAX = 2 * 1024 * 1024;

function checkSize(input) {
  const isTooLarge = (input.files[0]?.size ?? 0) > PICTURE_MAX;
  input.setCustomValidity(isTooLarge ? "This file is larger than 2 MiB. Choose a smaller one." : "");
  if (isTooLarge) input.reportValidity();
}

// --- Links to pass on.

/** `calm` is what the button says else: it may be clicked again while it says that it has copied. */
async function copy(button, calm) {
  const field = document.getElementById(button.dataset.copies);
  field.select();
  let copied;
  try {
    await navigator.clipboard.writeText(field.value);
    copied = true;
  } catch {
    // There is no clipboard on a page that came over plain HTTP; this works there.
    copied = document.execCommand("copy");
  }
  const said = copied ? "Copied" : "Press Ctrl+C";
  button.textContent = said;
  document.getElementById("copied").textContent = copied ? "The link is copied." : said;
  setTimeout(() => {
    button.innerHTML = calm;
    document.getElementById("copied").textContent = "";
  }, 2_000);
}

// --- How the rounds stand, as it changes.

async function look() {
  if (document.hidden) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } }).catch(() => null);
  // Whoever is signed out meanwhile is led to another page.
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const shown of all(".standing")) {
    const now = twin(shown, page);
    if (!now) continue;
    if (shown.id === "standing" && shown.dataset.state !== now.dataset.state) return hasChanged();
    tellTimesHere(now);
    if (shown.innerHTML !== now.innerHTML) shown.innerHTML = now.innerHTML;
  }
}

/** The same part of the page as it is drawn now. */
function twin(shown, page) {
  if (shown.id) return page.getElementById(shown.id);
  const round = shown.closest("[data-round]").dataset.round;
  return page.querySelector(`[data-round="${round}"] .standing`);
}

function hasChanged() {
  if (written) document.getElementById("meanwhile").hidden = false;
  else location.reload();
}

tellTimesHere(document);
for (const field of all("[data-moment]")) writeHere(field);
if (document.getElementById("round")) watchWriting(document.getElementById("round"));
for (const input of all("[type=file]")) input.addEventListener("change", () => checkSize(input));
for (const button of all("[data-copies]")) {
  const calm = button.innerHTML;
  button.hidden = false;
  button.addEventListener("click", () => copy(button, calm));
}
if (document.querySelector("[data-live]")) setInterval(look, LOOK_EVERY_MS);
