// A market's book as the socket tells it: a snapshot, then differences that must follow one another.

import { Big, decimals } from "./decimal.js";

/** A price as a whole number of its smallest digits, so that levels sort and group exactly. */
function units(text, places) {
  const [whole, rest = ""] = text.split(".");
  return BigInt(whole + rest.slice(0, places).padEnd(places, "0"));
}

function text(value, places) {
  if (places === 0) return value.toString();
  const digits = value.toString().padStart(places + 1, "0");
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

export class Book {
  constructor(tick) {
    this.places = decimals(tick);
    this.step = "";
    this.clear();
  }

  /** From now on the book has `step` of the quote to a row, or the venue's own levels for ""; the server sums them. */
  regroup(step) {
    this.step = step;
    this.clear();
  }

  clear() {
    this.bids = new Map();
    this.asks = new Map();
    this.seq = null;
    this.state = "SYNCING";
    this.at = 0;
    this.nearest = {};
  }

  /** Takes a message; false means that one is missing in between and a snapshot is needed. */
  apply(message) {
    if ((message.step ?? "") !== this.step) return true; // said before the page looked from elsewhere
    if (message.kind === "snapshot") {
      this.bids.clear();
      this.asks.clear();
    } else if (this.seq === null || message.prev !== this.seq) {
      this.seq = null;
      return false;
    }
    this.merge(this.bids, message.bids);
    this.merge(this.asks, message.asks);
    this.seq = message.seq;
    this.state = message.state;
    this.at = message.at;
    this.nearest = message.best ?? {};
    return true;
  }

  merge(side, levels) {
    for (const [price, quantity] of levels) {
      const key = units(price, this.places);
      if (/[1-9]/.test(quantity)) side.set(key, quantity);
      else side.delete(key);
    }
  }

  /** The best levels, each with the sum down to it. */
  levels(name, count) {
    const side = this[name];
    const keys = [...side.keys()].sort((a, b) => (a < b ? -1 : 1) * (name === "bids" ? -1 : 1)).slice(0, count);
    let total = new Big(0);
    return keys.map((key) => {
      const quantity = new Big(side.get(key));
      total = total.plus(quantity);
      return { price: text(key, this.places), quantity, total };
    });
  }

  /** The venue's best price of the side, however the book is grouped. */
  best(name) {
    if (this.step) return this.nearest[name] ? { price: this.nearest[name] } : null;
    return this.levels(name, 1)[0] ?? null;
  }
}
