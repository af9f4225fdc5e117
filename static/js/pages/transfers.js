// Deposits and withdrawals as they move: a private event makes the page's own list be read again.

import "../lib/site.js";
import { hook } from "../lib/dom.js";
import { localTimes } from "../lib/site.js";
import { Socket } from "../lib/socket.js";

const HOOK = hook("deposits") ? "deposits" : "transfers";
const list = hook(HOOK);
const EVENTS = new Set(["deposit", "withdrawal"]);
let last = null;

async function read() {
  const response = await fetch(location.href, { credentials: "same-origin" });
  if (!response.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const rows = hook(HOOK, fresh);
  if (!rows) return;
  localTimes(rows);
  list.replaceChildren(...rows.childNodes);
}

if (list) {
  new Socket("/ws/me/", {
    onMessage: (message) => {
      const isGap = last !== null && message.seq !== last + 1;
      if (EVENTS.has(message.type) || isGap) read();
      last = message.seq;
    },
  });
}
