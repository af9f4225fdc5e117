// Draws the book: rows are kept and rewritten, depth is a background's width, a level's price goes to the ticket.

import { $$, clone, fill, hook } from "./dom.js";
import { atPlaces, Big, decimals } from "./decimal.js";

const LEVELS = 15;
const GROUPS = [1, 10, 100, 1000];

export class BookView {
  constructor(element, book, config, { onPrice, onGroup }) {
    this.element = element;
    this.book = book;
    this.config = config;
    this.stepPlaces = decimals(config.step);
    this.chosen = null;
    this.own = new Set();
    this.bodies = { asks: hook("asks", element), bids: hook("bids", element) };
    this.template = hook("level-row", element);
    this.onPrice = onPrice;
    this.onGroup = onGroup;
    this.offerGroups();
    this.listen();
  }

  offerGroups() {
    const select = hook("book-group", this.element);
    for (const multiple of GROUPS) {
      const option = document.createElement("option");
      option.textContent = new Big(this.config.tick).times(multiple).toFixed();
      option.value = multiple === 1 ? "" : option.textContent;
      select.append(option);
    }
    select.hidden = false;
    select.addEventListener("change", () => {
      this.book.regroup(select.value);
      this.onGroup(select.value);
    });
  }

  listen() {
    const keys = hook("book-keys", this.element);
    keys.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-price]");
      if (row) this.onPrice(row.dataset.price);
    });
    keys.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.chosen) this.onPrice(this.chosen);
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const rows = $$("tr[data-price]", keys);
      const at = rows.findIndex((row) => row.dataset.price === this.chosen);
      const from = at < 0 ? $$("tr", this.bodies.asks).length - (step > 0 ? 1 : 0) : at;
      this.chosen = rows[Math.max(0, Math.min(rows.length - 1, from + step))]?.dataset.price ?? null;
      this.choose();
    });
    keys.addEventListener("blur", () => { this.chosen = null; this.choose(); });
  }

  choose() {
    for (const row of $$("tr[data-price]", this.element)) row.classList.toggle("chosen", row.dataset.price === this.chosen);
  }

  /** Prices of the customer's own open orders, to be marked. */
  mark(prices) {
    this.own = new Set(prices);
    this.draw();
  }

  draw() {
    if (this.book.seq === null) return;
    const asks = this.book.levels("asks", LEVELS);
    const bids = this.book.levels("bids", LEVELS);
    const deepest = [asks, bids].map((rows) => rows.at(-1)?.total ?? new Big(0)).reduce((a, b) => (a.gt(b) ? a : b));
    this.write("asks", [...asks].reverse(), deepest);
    this.write("bids", bids, deepest);
    if (this.chosen) this.choose();
  }

  write(name, rows, deepest) {
    const body = this.bodies[name];
    while (body.rows.length < rows.length) body.append(clone(this.template));
    while (body.rows.length > rows.length) body.lastElementChild.remove();
    rows.forEach((level, index) => {
      const row = body.rows[index];
      row.dataset.price = level.price;
      row.classList.toggle("own", this.own.has(level.price));
      fill(row, {
        price: atPlaces(level.price, this.book.places),
        quantity: atPlaces(level.quantity, this.stepPlaces),
        total: atPlaces(level.total, this.stepPlaces),
      });
      row.style.setProperty("--depth", `${level.total.div(deepest).times(100).toFixed(1)}%`);
    });
  }
}
