// The customer's own rows: read from the API, hurried by the private socket, read again after any gap.

import { $$, clone, fill, hook, replace } from "./dom.js";
import { amount } from "./decimal.js";
import { ApiError, call, get, rows } from "./http.js";
import { localTimes } from "./site.js";
import { PRIVATE_SILENT_MS, Socket } from "./socket.js";

const GATHER_MS = 120;
const READS = { order: ["orders"], fill: ["orders", "fills", "balances"], balance: ["balances"], deposit: ["balances"], withdrawal: ["balances"] };

export class Mine {
  constructor(element, { texts, toast, onOrders, onBalances }) {
    Object.assign(this, { element, texts, toast, onOrders, onBalances });
    this.wanted = new Set();
    this.seq = null;
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-cancel]");
      if (button) this.cancel(event, button);
    });
    this.socket = new Socket("/ws/me/", { onMessage: (message) => this.hear(message), silentMs: PRIVATE_SILENT_MS });
  }

  hear(message) {
    if (message.type === "alive") return;
    const isNext = this.seq !== null && message.seq === this.seq + 1;
    if (message.type === "hello") this.want("orders", "fills", "balances");
    else if (isNext) this.want(...(READS[message.type] ?? []));
    else this.want("orders", "fills", "balances");
    this.seq = message.seq;
    if (message.type === "fill" && message.price) this.tell(message);
  }

  tell({ side, quantity, price, symbol, base }) {
    const words = { side: this.texts[side] ?? "", quantity: amount(quantity), base: base ?? symbol ?? "", price: amount(price) };
    this.toast(this.texts.fill.replace(/\{(\w+)\}/g, (_whole, name) => words[name]));
  }

  /** Gathers what is to be read again, so that a burst of events is one read. */
  want(...names) {
    names.forEach((name) => this.wanted.add(name));
    clearTimeout(this.gathering);
    this.gathering = setTimeout(() => this.read(), GATHER_MS);
  }

  async read() {
    const names = [...this.wanted];
    this.wanted.clear();
    try {
      for (const name of names) await this[name]();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  async orders() {
    const found = rows(await get("/api/v1/orders/", { status: "open", limit: 100 }));
    replace(hook("open-rows", this.element), found.map((order) => this.orderRow(order)));
    hook("open-count", this.element).textContent = found.length;
    hook("open-empty", this.element).hidden = found.length > 0;
    hook("cancel-all", this.element).hidden = found.length === 0;
    this.onOrders(found);
  }

  orderRow(order) {
    const row = clone(hook("open-row", this.element));
    const side = order.side.toLowerCase();
    fill(row, {
      market: order.symbol,
      side: `${this.texts[side]} · ${this.texts[order.type.toLowerCase()]}`,
      price: order.price ? amount(order.price) : this.texts.market,
      trigger: this.trigger(order),
      quantity: amount(order.quantity ?? order.quote_quantity),
      filled: amount(order.cumulative_quantity),
      status: this.texts[`status${order.status}`] ?? order.status,
      list: order.order_list ? this.texts.inList.replace("{id}", order.order_list) : "",
    });
    row.dataset.order = order.id;
    row.querySelector('[data-cell="market"]').href = `/orders/${order.id}/`;
    row.querySelector('[data-cell="side"]').classList.add(`side-${order.side}`);
    if (order.status !== "WAITING") row.querySelector('[data-cell="status"]').classList.add(order.status === "PENDING" ? "status-busy" : "status-live");
    const [change, cancel] = [hook("change", row), hook("cancel", row)];
    if (order.is_changeable) change.href = `/orders/${order.id}/change/?next=${encodeURIComponent(location.pathname)}`;
    else change.remove();
    change.setAttribute("aria-label", this.texts.changeOrder.replace("{id}", order.id));
    cancel.setAttribute("aria-label", this.texts.cancelOrder.replace("{id}", order.id));
    cancel.dataset.cancel = order.id;
    cancel.disabled = Boolean(order.cancel_requested_at);
    if (cancel.disabled) cancel.textContent = this.texts.canceling;
    return row;
  }

  /** What the order waits for, in a few words. */
  trigger({ stop_price: stop, trailing_delta: trailing }) {
    const words = [];
    if (stop) words.push(this.texts.waitsFor.replace("{price}", amount(stop)));
    if (trailing) words.push(this.texts.trails.replace("{percent}", (trailing / 100).toString()));
    return words.join(", ");
  }

  async cancel(event, button) {
    event.preventDefault();
    button.disabled = true;
    button.textContent = this.texts.canceling;
    try {
      await call("DELETE", `/api/v1/orders/${button.dataset.cancel}/`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.toast(error.message || this.texts.unknown, "error");
    }
    this.want("orders", "balances");
  }

  async fills() {
    const found = rows(await get("/api/v1/fills/", { limit: 20 }));
    replace(hook("fill-rows", this.element), found.map((one) => this.fillRow(one)));
    hook("fill-empty", this.element).hidden = found.length > 0;
  }

  fillRow(one) {
    const row = clone(hook("fill-row", this.element));
    const time = document.createElement("time");
    time.dateTime = one.at;
    row.querySelector('[data-cell="time"]').append(time);
    localTimes(row);
    fill(row, {
      market: one.symbol,
      side: this.texts[one.side.toLowerCase()],
      price: amount(one.price),
      quantity: amount(one.quantity),
      fee: `${amount(one.fee)} ${one.fee_asset}`,
    });
    row.querySelector('[data-cell="market"]').href = `/orders/${one.order_id ?? one.order}/`;
    row.querySelector('[data-cell="side"]').classList.add(`side-${one.side}`);
    return row;
  }

  async balances() {
    const found = rows(await get("/api/v1/balances/"));
    const body = hook("balance-rows", this.element);
    replace(body, found.map((balance) => {
      const row = fill(clone(hook("balance-row", this.element)), {
        asset: balance.asset, available: amount(balance.available), held: amount(balance.held),
      });
      row.querySelector("a").href = `/wallet/${balance.asset}/`;
      row.dataset.asset = balance.asset;
      return row;
    }));
    hook("balance-empty", this.element).hidden = found.length > 0;
    this.onBalances(new Map(found.map((balance) => [balance.asset, balance])));
  }
}
