// Loads the page again when a template or a static file has changed, and when the process has started again.

const EVERY_MS = 300;
const shown = new URL(import.meta.url).searchParams.get("version");

async function look() {
  const version = await ask("/dev/version");
  // A process that has just started does not know the rounds yet.
  const isNew = version !== null && version !== shown && (await ask("/health")) !== null;
  if (isNew) {
    location.reload();
  } else {
    setTimeout(look, EVERY_MS);
  }
}

/** What is answered; null while the process is not there or not ready. */
async function ask(path) {
  try {
    const response = await fetch(path, { cache: "no-store" });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

look();
