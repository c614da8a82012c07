// Makes a live piece of the page equal to what the server drew, and touches
// only what differs: focus, selection and running transitions stay. An element
// that the server marks data-same stays as it is.
//
// The server's html/template has escaped every text; this policy is the one
// place where a string becomes elements.

const policy = globalThis.trustedTypes
  ? trustedTypes.createPolicy("sealdock-live", { createHTML: (text) => text })
  : { createHTML: (text) => text };

// Of a whole page, only what the selector names.
export function morph(place, html, selector = "body") {
  const drawn = new DOMParser().parseFromString(policy.createHTML(html), "text/html").querySelector(selector);
  if (!drawn) throw new Error("the page holds no such piece");
  children(place, drawn);
}

function key(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);
}

function children(old, drawn) {
  const keyed = new Map();
  for (const child of old.children) if (key(child)) keyed.set(key(child), child);
  let here = old.firstChild;
  for (const wanted of [...drawn.childNodes]) {
    const known = key(wanted) ? keyed.get(key(wanted)) : null;
    if (known && known !== here && known.nodeName === wanted.nodeName) old.insertBefore(known, here);
    const match = known && known.nodeName === wanted.nodeName ? known : here;
    if (match && alike(match, wanted)) {
      node(match, wanted);
      here = match.nextSibling;
    } else {
      old.insertBefore(document.importNode(wanted, true), here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

function node(old, wanted) {
  if (wanted.nodeType === Node.ELEMENT_NODE && wanted.hasAttribute("data-same")) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...wanted.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, wanted);
}
