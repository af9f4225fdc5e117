// What the receiver gets and what it is worth, while the amount is typed; both ends of the address, large.
// The server's figures count.

import "../lib/site.js";
import { hook } from "../lib/dom.js";
import { ApiError, get } from "../lib/http.js";
import { amount, Big, big, typed } from "../lib/decimal.js";

const WAIT_MS = 350;
const SHOWN = 6;
const form = hook("withdraw");

function showEnds(address) {
  const text = address.trim();
  const line = hook("ends", form);
  line.hidden = text.length <= 2 * SHOWN;
  hook("first", line).textContent = text.slice(0, SHOWN);
  hook("last", line).textContent = text.slice(-SHOWN);
}

/** The newest question's answer; older ones are not shown. */
let asked = 0;
async function quote(value) {
  const number = ++asked;
  const { asset, network } = form.dataset;
  const answer = await get("/api/v1/withdrawals/quote/", { asset, network, amount: value }).catch((error) => error);
  if (number !== asked) return;
  const isRefused = answer instanceof ApiError;
  hook("refusal", form).textContent = isRefused ? answer.message : "";
  hook("worth", form).textContent = isRefused || answer instanceof Error ? "–" : amount(answer.value);
}

/** Without an amount there is nothing to say of it, and an answer that is under way is of another one. */
function forget() {
  asked += 1;
  hook("refusal", form).textContent = "";
  hook("worth", form).textContent = "–";
}

if (form) {
  const field = form.elements.amount;
  const net = hook("net", form);
  const { fee, asset, available } = form.dataset;
  let waiting = 0;
  const show = () => {
    const rest = big(field.value)?.minus(fee);
    net.textContent = rest?.gt(0) ? `${amount(rest.toFixed())} ${asset}` : "–";
    clearTimeout(waiting);
    const plain = typed(field.value);
    if (plain && big(plain).gt(0)) waiting = setTimeout(() => quote(plain), WAIT_MS);
    else forget();
  };
  const all = hook("all", form);
  all.hidden = !new Big(available || 0).gt(0);
  all.addEventListener("click", () => {
    field.value = available;
    show();
  });
  field.addEventListener("input", show);
  form.elements.address.addEventListener("input", () => showEnds(form.elements.address.value));
  showEnds(form.elements.address.value);
  show();
}
