// Changes a dock's queue without loading the page anew, so that the keyboard
// stays where it is. The forms work without it.

import { morph } from "./morph.js";

const place = document.querySelector("[data-queue]");

place.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-quiet]");
  if (!form) return;
  event.preventDefault();
  const held = event.submitter;
  const asked = new FormData(form, held);
  const key = held.closest("[data-key]")?.dataset.key;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(asked), headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    morph(place, await answer.text(), "[data-queue]");
    hold(key, asked.get("act"));
  } catch {
    location.reload(); // it says what is, and what went wrong
  }
});

// hold keeps the keyboard on the same button of the same recording, or on the
// next one there that still works.
function hold(key, act) {
  const row = key && place.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!row) return;
  const same = row.querySelector(`button[value="${CSS.escape(act)}"]:not(:disabled)`) ?? row.querySelector("button:not(:disabled)");
  same?.focus();
}
