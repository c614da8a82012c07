// Shows how far a custody package is while it is proven and sent. The form works without.

const place = document.querySelector("[data-package-progress]");
const words = { proving: "The recording is read and proven, before anything leaves the store.", sending: "Proven. It goes to your browser, each part proven once more.", done: "The custody package is in your downloads.", failed: "It was broken off. What your browser has is no package: ask for it again." };

document.querySelector("form[data-package]")?.addEventListener("submit", (event) => {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  event.target.elements.key.value = key;
  watch(event.target.action + "/progress?key=" + key);
});

async function watch(address) {
  const bar = place.querySelector("progress");
  place.hidden = false;
  say("proving");
  for (let missed = 0; missed < 20; ) {
    await new Promise((done) => setTimeout(done, 500));
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) {
      missed++; // not begun yet, or the page is on its way to say why not
      continue;
    }
    const { state, total, proven, sent } = await answer.json();
    say(state);
    if (total) bar.value = Math.floor((1000 * (proven + sent)) / (2 * total));
    place.querySelector("[data-bytes]").textContent = total ? `${size(state === "proving" ? proven : sent)} of ${size(total)}` : "";
    if (state === "done" || state === "failed") {
      bar.hidden = true;
      return;
    }
  }
  place.hidden = true;
}

function say(state) {
  const line = place.querySelector("[data-words]");
  if (line.textContent !== words[state]) line.textContent = words[state]; // a screen reader hears each stage once
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let n = 0;
  while (bytes >= 999.5 && n < units.length - 1) {
    bytes /= 1024;
    n++;
  }
  return `${n && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[n]}`;
}
