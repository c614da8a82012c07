// Passkeys: signing in, confirming, and setting one up. Each place names what it
// does ("get" or "create") and where the server answers. The server decides;
// nothing here is believed.

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", cache: "no-store", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok && !said.problem) said.problem = "The server did not answer as it should. Try again in a moment.";
  return said;
}

// wordsOf puts what the browser says into words.
function wordsOf(error, host) {
  switch (error.name) {
    case "NotAllowedError": return "No passkey was shown. Try again, or use another way.";
    case "InvalidStateError": return "This device holds a passkey for this account already.";
    case "SecurityError": return "Passkeys of this server work only at https://" + host + ". Open it under that name.";
    case "NotSupportedError": return "This device cannot hold a passkey of the kind that is needed: one that asks for a finger, a face or a PIN.";
  }
  return "The browser could not do it (" + error.name + "). Try again, or use another way.";
}

function arrange(place) {
  const { passkey: kind, at, next, host } = place.dataset;
  const button = place.querySelector("button");
  const problem = place.querySelector(".notice");
  const name = place.querySelector("input");
  const notice = document.querySelector("input[name=notice]"); // the agency's use notice, where it has one
  const say = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };
  const run = async () => {
    const begun = await post(at + "/begin", {});
    if (begun.to) return location.assign(begun.to);
    if (begun.problem) return say(begun.problem);
    const credential = kind === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(begun.options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(begun.options) });
    const done = await post(at, { response: credential.toJSON(), name: name ? name.value : "", next, notice: notice && (notice.type !== "checkbox" || notice.checked) ? notice.value : "" });
    if (done.to) return location.assign(done.to);
    say(done.problem);
  };
  button.addEventListener("click", async () => {
    say("");
    if (name && !name.value.trim()) {
      name.focus();
      return say("Give it a name first, such as “Blue key”.");
    }
    button.disabled = true;
    try {
      await run();
    } catch (error) {
      say(wordsOf(error, host));
    } finally {
      button.disabled = false;
    }
  });
  if (name) name.addEventListener("keydown", (event) => { if (event.key === "Enter") button.click(); });
  place.hidden = false;
}

// served tells whether the page is open under the name that passkeys belong to.
function served(place) {
  const host = place.dataset.host;
  return location.hostname === host || location.hostname.endsWith("." + host);
}

if (globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  [...document.querySelectorAll("[data-passkey]")].filter(served).forEach(arrange);
  const first = document.querySelector("[autofocus]");
  if (first && document.activeElement === document.body) first.focus();
}
