// The dead-man's switches of a page: while it is open it renews its own, and says how long is left of all.

import { $$, format, hook } from "./dom.js";
import { call } from "./http.js";

const PATH = "/api/v1/orders/countdown/";
const TICK_MS = 1000;
// A sleeping page wakes late: what should have fired by then is asked for, and not begun anew.
const LATE_MS = 1500;
const AGAIN_MS = 5000;
const MOST_MS = 60_000;
const renewing = new Set();

/** When it fires, by this machine's clock; the server's says how long was left. */
function deadlineOf(row) {
  if (!row.dataset.until) {
    const left = new Date(row.dataset.deadline) - new Date(row.dataset.now);
    row.dataset.until = String(Date.now() + left);
  }
  return Number(row.dataset.until);
}

function show(row) {
  const left = Math.max(0, Math.ceil((deadlineOf(row) - Date.now()) / 1000));
  const minutes = Math.floor(left / 60);
  const cell = hook("left", row);
  const text = format(cell.dataset.in, { time: `${minutes}:${String(left % 60).padStart(2, "0")}` });
  if (cell.textContent !== text) cell.textContent = text;
}

function isDue(row) {
  const seconds = Number(row.dataset.seconds);
  const every = Math.min((seconds * 1000) / 3, MOST_MS);
  return deadlineOf(row) - Date.now() < seconds * 1000 - every;
}

async function renew(row) {
  const { symbol, seconds, channel } = row.dataset;
  const name = `${channel} ${symbol}`;
  if (renewing.has(name)) return;
  renewing.add(name);
  try {
    const body = symbol ? { seconds: Number(seconds), symbol } : { seconds: Number(seconds) };
    const { body: found } = await call("PUT", PATH, { body });
    row.dataset.until = String(Date.now() + (new Date(found.deadline_at) - new Date(found.now)));
    hook("trouble", row).textContent = "";
  } catch {
    hook("trouble", row).textContent = row.closest("[data-countdowns]").dataset.failed;
  } finally {
    renewing.delete(name);
  }
}

let isOver = false;
function look() {
  for (const row of $$("[data-countdown]")) {
    show(row);
    const late = Date.now() - deadlineOf(row);
    if (late > LATE_MS && !isOver) {
      isOver = true;
      setTimeout(() => location.reload(), AGAIN_MS);
    } else if (late < 0 && row.dataset.channel === "SITE" && isDue(row)) {
      renew(row);
    }
  }
}

look();
setInterval(look, TICK_MS);
document.addEventListener("visibilitychange", look);
