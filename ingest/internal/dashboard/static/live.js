// Keeps the overview live. The page is complete without it.

import { morph } from "./morph.js";

const place = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const slowest = 30_000;
const counts = { quarantined: document.querySelector("[data-live-count]"), alerts: document.querySelector("[data-live-alerts]") };
const needs = document.querySelector("[data-live-needs]"); // at the key that shows the rooms on a phone
let source = null;
let wait = 1000;
let timer = 0;

function show(tone, word, more) {
  const pill = state.querySelector(".status");
  if (!pill.textContent.endsWith(word) || !pill.classList.contains(tone)) {
    pill.className = "status " + tone;
    pill.replaceChildren(Object.assign(document.createElement("span"), { className: "pulse", ariaHidden: "true" }), word);
  }
  const note = state.querySelector(".quiet");
  if (note.textContent !== more) note.textContent = more;
}

function open() {
  clearTimeout(timer);
  source = new EventSource(place.dataset.live);
  source.addEventListener("wall", (event) => {
    wait = 1000;
    const { html, at, ...waiting } = JSON.parse(event.data);
    morph(place, html);
    for (const [name, count] of Object.entries(counts)) {
      if (!count) continue; // not everybody has that room
      count.hidden = waiting[name] === 0;
      count.firstElementChild.textContent = waiting[name];
    }
    if (needs) needs.hidden = !document.querySelector(".count[data-waits]:not([hidden])") && !Object.entries(counts).some(([name, count]) => count && waiting[name] > 0);
    show("ok", "Live", "as of " + at);
  });
  source.addEventListener("end", () => {
    source.close();
    location.replace("/sign-in?ended=1");
  });
  source.addEventListener("error", again);
}

// again makes every break the same: close, wait a little longer each time, ask
// anew. The browser's own retry gives up on some answers.
function again() {
  source.close();
  show("warn", "Not live", "reconnecting; the figures may be old");
  timer = setTimeout(open, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 2, slowest);
}

addEventListener("pagehide", () => { clearTimeout(timer); source?.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) open(); });
addEventListener("online", () => { if (source?.readyState === EventSource.CLOSED) open(); });
open();
