// Keeps the bay page true. The page is complete without it, but asks for itself
// anew; with it, changes show at once. What it has not heard of for a few
// seconds it covers: an old "safe to take" must not be read by anybody.

const face = document.getElementById("face");
const spoken = document.getElementById("spoken");
const toast = document.getElementById("toast");
const root = document.documentElement;
const silence = 4000; // ms; the dock gives a sign of life every second
const again = 1000; // ms until the next try

const policy = globalThis.trustedTypes
  ? trustedTypes.createPolicy("sealdock-bay", { createHTML: (text) => text })
  : { createHTML: (text) => text };

let heard = Date.now();
let source = null;
let timer = 0;
let toastTimer = 0;

function live() {
  heard = Date.now();
  if (root.classList.contains("is-live")) return;
  root.classList.remove("is-lost");
  root.classList.add("is-live");
  face.inert = false;
}

function lost(title = "The dock does not answer") {
  document.getElementById("lost-title").textContent = title;
  if (root.classList.contains("is-lost")) return;
  root.classList.remove("is-live");
  root.classList.add("is-lost");
  face.inert = true;
  spoken.textContent = title + ". Leave cameras in the dock.";
}

function open() {
  clearTimeout(timer);
  source = new EventSource(face.dataset.live);
  source.addEventListener("wall", (event) => {
    const { html, release } = JSON.parse(event.data);
    if (release !== face.dataset.release) {
      location.reload();
      return;
    }
    const before = verdicts();
    children(face, new DOMParser().parseFromString(policy.createHTML(html), "text/html").body);
    live();
    speak(before, verdicts());
  });
  source.addEventListener("same", live);
  source.addEventListener("full", () => broken("Too many screens show this page"));
  source.addEventListener("error", () => broken());
}

// broken makes every break the same: cover, close, ask anew. The browser's own
// retry gives up on some answers.
function broken(title) {
  source.close();
  lost(title);
  clearTimeout(timer);
  timer = setTimeout(open, again);
}

function watch() {
  if (Date.now() - heard > silence) lost();
}

function verdicts() {
  const all = new Map();
  for (const tile of face.querySelectorAll("[data-spoken]")) all.set(tile.dataset.key, tile.dataset.spoken);
  return all;
}

function speak(before, after) {
  const news = [];
  for (const [key, said] of after) if (before.get(key) !== said) news.push(said);
  if (news.length > 0) spoken.textContent = news.join(" ");
}

// The page becomes what the dock drew, and only what differs is touched. What
// has a data-key stays the same element, and is not moved if that can be helped:
// moving takes the focus away.

function key(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function children(old, drawn) {
  const wantedKeys = new Set([...drawn.children].map(key));
  const keyed = new Map();
  for (const child of [...old.children]) {
    const name = key(child);
    if (!name) continue;
    if (wantedKeys.has(name)) keyed.set(name, child);
    else child.remove();
  }
  let here = old.firstChild;
  const drop = () => {
    const next = here.nextSibling;
    here.remove();
    here = next;
  };
  for (const wanted of [...drawn.childNodes]) {
    const name = key(wanted);
    const known = name ? keyed.get(name) : here;
    if (!known || known.nodeName !== wanted.nodeName || key(known) !== name) {
      old.insertBefore(document.importNode(wanted, true), here);
      continue;
    }
    while (here !== known && here && !key(here)) drop();
    if (known !== here) old.insertBefore(known, here);
    become(known, wanted);
    here = known.nextSibling;
  }
  while (here) drop();
}

function become(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...wanted.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, wanted);
}

face.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/plain" } });
    if (!answer.ok) throw new Error("status " + answer.status);
  } catch {
    complain("That was not done. Press the button again.");
  } finally {
    button.removeAttribute("aria-busy");
  }
});

function complain(text) {
  clearTimeout(toastTimer);
  toast.textContent = text;
  toast.hidden = false;
  toastTimer = setTimeout(() => { toast.hidden = true; }, 8000);
}

setInterval(watch, 500);
addEventListener("visibilitychange", watch);
addEventListener("pagehide", () => { clearTimeout(timer); source?.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) { lost(); open(); } });
root.classList.add("is-live");
open();
