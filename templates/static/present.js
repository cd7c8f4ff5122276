// The whole screen for the presenter view: by the button, or by the key F.

const button = document.getElementById("fullscreen");
const screen = document.documentElement;

if (screen.requestFullscreen) {
  button.hidden = false;
  button.addEventListener("click", toggle);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "f" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    toggle();
  });
  document.addEventListener("fullscreenchange", () => {
    button.hidden = document.fullscreenElement !== null;
  });
}

async function toggle() {
  try {
    await (document.fullscreenElement ? document.exitFullscreen() : screen.requestFullscreen());
  } catch {
    // The browser does not want to; everything else works as before.
  }
}
