// Leaves the room when the session has ended, so that a screen nobody uses
// shows no evidence. Asking does not count as use.

const minute = 60_000;

async function check() {
  try {
    const answer = await fetch("/session", { cache: "no-store", redirect: "manual" });
    if (answer.status === 401) location.replace("/sign-in?ended=1&next=" + encodeURIComponent(location.pathname + location.search));
  } catch {
    // The server cannot be reached: ask again later.
  }
}

setInterval(check, minute);
document.addEventListener("visibilitychange", () => { if (!document.hidden) check(); });
addEventListener("pageshow", (event) => { if (event.persisted) check(); });
