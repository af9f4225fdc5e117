// Parts of a page that are read again when a private event says that they moved.
// data-live names the events; the fresh part is the server's own rendering of the same page.

import "../lib/site.js";
import { $$ } from "../lib/dom.js";
import { localTimes } from "../lib/site.js";
import { PRIVATE_SILENT_MS, Socket } from "../lib/socket.js";

const GATHER_MS = 250;
const parts = $$("[data-live]");
const eventsOf = (part) => part.dataset.live.split(" ");
const events = new Set(parts.flatMap(eventsOf));
const heard = new Set();
let last = null;
let gathering = 0;

/** What tells an element in focus apart, so that its successor can take the focus. */
const nameOf = (element) => element.id || element.getAttribute("aria-label") || element.getAttribute("href");

function exchangePart(part, fresh) {
  const focused = part.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  part.replaceChildren(...fresh.childNodes);
  localTimes(part);
  if (focused) $$("a, button, input, select", part).find((element) => nameOf(element) === focused)?.focus();
}

/** A part that did not move stays as it is: somebody may be filling in its form. */
async function read() {
  const due = new Set(heard);
  heard.clear();
  const response = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const fresh = $$("[data-live]", new DOMParser().parseFromString(await response.text(), "text/html"));
  if (fresh.length !== parts.length) return;
  parts.forEach((part, index) => {
    if (eventsOf(part).some((name) => due.has(name))) exchangePart(part, fresh[index]);
  });
}

function hear(message) {
  if (message.type === "alive") return;
  const isGap = last !== null && message.seq !== last + 1;
  last = message.seq;
  if (!isGap && !events.has(message.type)) return;
  for (const name of isGap ? events : [message.type]) heard.add(name);
  clearTimeout(gathering);
  gathering = setTimeout(read, GATHER_MS);
}

if (parts.length) new Socket("/ws/me/", { onMessage: hear, silentMs: PRIVATE_SILENT_MS });
