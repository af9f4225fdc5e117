// One of the two amounts counts: the other empties while one is typed. The server says what it costs.

import "./live.js";
import { data, format, hook } from "../lib/dom.js";
import { amount, Big } from "../lib/decimal.js";

const form = hook("convert");

if (form) {
  const { from_asset: from, to_asset: to, from_amount: given, to_amount: wanted } = form.elements;
  const balances = data("balances") ?? {};
  const line = hook("balance", form);
  const turn = hook("turn", form);

  const show = () => {
    const has = balances[from.value];
    line.hidden = !has || new Big(has).eq(0);
    const text = hook("available", line);
    text.textContent = line.hidden ? "" : format(text.dataset.available, { amount: amount(has), asset: from.value });
  };
  const only = (one, other) => one.addEventListener("input", () => { if (one.value) other.value = ""; });

  only(given, wanted);
  only(wanted, given);
  from.addEventListener("change", show);
  hook("all", form).addEventListener("click", () => {
    given.value = new Big(balances[from.value]).toFixed();
    wanted.value = "";
    given.focus();
  });
  turn.hidden = false;
  turn.addEventListener("click", () => {
    [from.value, to.value] = [to.value, from.value];
    [given.value, wanted.value] = [wanted.value, given.value];
    show();
  });
  show();
}
