// How long the quote stands, by the server's clock; when it is over the button goes. The server decides.

import "../lib/site.js";
import { hook, format } from "../lib/dom.js";

const TICK_MS = 100;
const page = hook("quote");
const { expires, now, made } = page.dataset;
const deadline = Date.now() + (new Date(expires) - new Date(now));
const whole = new Date(expires) - new Date(made);

function tick() {
  const left = deadline - Date.now();
  const seconds = Math.max(0, Math.ceil(left / 1000));
  const text = hook("left", page);
  const words = format(seconds === 1 ? text.dataset.one : text.dataset.many, { seconds });
  if (text.textContent !== words) text.textContent = words;
  const bar = hook("bar", page);
  bar.max = whole;
  bar.value = Math.max(0, left);
  if (left > 0) return;
  hook("standing", page).hidden = true;
  hook("over", page).hidden = false;
  clearInterval(ticking);
}

const ticking = setInterval(tick, TICK_MS);
if (!hook("standing", page).hidden) tick();
