// Casts a ballot without leaving the page. Without this script the form posts itself, and the server
// answers with the same page drawn anew.

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;

// Nothing was accepted, or nobody can say: the same ballot may be sent again, for it counts once.
const TRY_AGAIN = new Set([429, 502, 503, 504]);
const TOO_MANY = 429;
const CLOSED = "urn:urna:round-closed";
const NO_ANSWER = "No answer from the ballot box. Try again: your vote counts once, however often it is sent.";
// A browser sends again by itself what got no answer, and does not say so.
const CLOSED_MEANWHILE =
  "This round is closed. A vote that was sent before, and got no answer, may be in the box: nobody can tell any more.";

const form = document.getElementById("ballot");
const send = document.getElementById("send");
const progress = document.getElementById("progress");
const problem = document.getElementById("problem");
const confirmation = document.getElementById("confirmation");

// One intent is one ballot id, kept until it is known what became of it.
let intent = null;
let sending = false;
let calm = send?.textContent;

// How many options the ballot may name.
const maxChoices = Number(form.dataset.maxChoices);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending) return;
  const choice = new FormData(form).getAll("choice");
  if (choice.length > 0) {
    cast(choice);
  } else {
    showProblem("Choose at least one option.");
    form.querySelector("[name=choice]").focus();
  }
});

form.addEventListener("change", ({ target }) => {
  if (!send || sending) return;
  send.textContent = calm;
  if (maxChoices > 1) keepWithin(target);
});

/** Takes back the tick that is one too many, and says so: a box that cannot be ticked would not say why. */
function keepWithin(ticked) {
  const chosen = new FormData(form).getAll("choice").length;
  showProblem("");
  if (chosen > maxChoices) {
    ticked.checked = false;
    showProblem(`You can choose up to ${maxChoices}. Take one away before you choose another.`);
  } else if (chosen > 0) {
    progress.textContent = `${chosen} of up to ${maxChoices} chosen`;
  } else {
    progress.textContent = "";
  }
}

async function cast(choice) {
  const meant = choice.join();
  if (intent?.meant !== meant) intent = { meant, choice, ballot: newBallotId() };
  setSending(true);
  showProblem("");
  progress.textContent = "Sending…";
  const answer = await deliver(intent);
  progress.textContent = "";
  setSending(false);

  if (answer.accepted) {
    intent = null;
    showAccepted(answer.accepted);
  } else if (answer.refusal) {
    intent = null;
    showProblem(answer.refusal);
  } else {
    showProblem(answer.advice ?? NO_ANSWER);
    send.textContent = "Try again";
    send.focus();
  }
}

async function deliver({ choice, ballot }) {
  // Without an invite there is no such field, and JSON leaves `undefined` out.
  const invite = form.elements.invite?.value;
  const body = JSON.stringify({ round: form.dataset.round, choice, ballot, invite });
  for (let attempt = 1; ; attempt += 1) {
    const answer = await post(body);
    const known = answer.accepted || answer.refusal;
    if (known || attempt === ATTEMPTS || answer.retryAfterMs > LONGEST_PAUSE_MS) return answer;
    progress.textContent = "Still trying…";
    await pause(Math.max(answer.retryAfterMs, backoff(attempt)));
  }
}

/**
 * What became of it: `accepted` (the receipt), `refusal` (a sentence), or neither: not known. Then there may be `advice`
 * (a sentence).
 */
async function post(body) {
  try {
    const response = await fetch("/vote", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (response.ok) return { accepted: await response.json() };
    const told = await response.json().catch(() => ({}));
    if (!TRY_AGAIN.has(response.status)) {
      return { refusal: told.type === CLOSED ? CLOSED_MEANWHILE : sentence(told) };
    }
    // When to try again. The words of a 503 say that nothing was accepted, which nobody knows of what was sent before.
    const advice = response.status === TOO_MANY ? told.detail : undefined;
    return { retryAfterMs: retryAfter(response), advice };
  } catch {
    // No answer, or half of one.
    return { retryAfterMs: 0 };
  }
}

/** `Retry-After` in milliseconds; 0 when absent, or a date, which our server never sends. */
function retryAfter(response) {
  return (Number(response.headers.get("Retry-After")) || 0) * 1000;
}

// Half of the pause is chance: a room full of phones must not come back all at once.
function backoff(attempt) {
  return FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The words of an RFC 9457 problem. */
function sentence({ title, detail }) {
  return detail || title || "Something went wrong.";
}

// `crypto.randomUUID` is only there on secure contexts; a room's own server may be plain HTTP.
function newBallotId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Not `disabled`: that would throw the keyboard focus off the button.
function setSending(now) {
  sending = now;
  send.setAttribute("aria-disabled", String(now));
  form.setAttribute("aria-busy", String(now));
}

function showProblem(text) {
  const line = document.createElement("p");
  line.className = "notice bad";
  line.textContent = text;
  problem.replaceChildren(...(text ? [line] : []));
  line.scrollIntoView({ block: "nearest" });
}

function showAccepted({ choice, receipt }) {
  for (const option of form.querySelectorAll(".option")) {
    option.querySelector(".mark").hidden = !choice.includes(option.querySelector("input").value);
  }
  document.getElementById("receipt").textContent = receipt;
  document.getElementById("receipt-link").href = `/receipts/${receipt}`;
  confirmation.firstElementChild.hidden = false;
  document.getElementById("watch")?.remove();
  if (form.dataset.allowChanges === "true") {
    calm = "Change my vote";
    send.textContent = calm;
  } else {
    document.getElementById("options").disabled = true;
    send.parentElement.remove();
  }
  confirmation.focus();
}
