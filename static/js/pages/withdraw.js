// What the receiver gets, while the amount is typed. The server's figure counts.

import "../lib/site.js";
import { hook } from "../lib/dom.js";
import { amount, Big, big } from "../lib/decimal.js";

const form = hook("withdraw");

if (form) {
  const field = form.elements.amount;
  const net = hook("net", form);
  const { fee, asset, available } = form.dataset;
  const show = () => {
    const typed = big(field.value);
    const rest = typed?.minus(fee);
    net.textContent = rest?.gt(0) ? `${amount(rest.toFixed())} ${asset}` : "–";
  };
  const all = hook("all", form);
  all.hidden = !new Big(available || 0).gt(0);
  all.addEventListener("click", () => {
    field.value = available;
    show();
  });
  field.addEventListener("input", show);
  show();
}
