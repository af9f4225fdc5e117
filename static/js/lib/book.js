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
    this.tick = units(tick, this.places) || 1n;
    this.clear();
  }

  clear() {
    this.bids = new Map();
    this.asks = new Map();
    this.seq = null;
    this.state = "SYNCING";
    this.at = 0;
  }

  /** Takes a message; false means that one is missing in between and a snapshot is needed. */
  apply(message) {
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
    return true;
  }

  merge(side, levels) {
    for (const [price, quantity] of levels) {
      const key = units(price, this.places);
      if (/[1-9]/.test(quantity)) side.set(key, quantity);
      else side.delete(key);
    }
  }

  /** The best levels, `multiple` ticks to a row, each with the sum down to it. */
  levels(name, count, multiple = 1) {
    const isBid = name === "bids";
    const side = this[name];
    const keys = [...side.keys()].sort((a, b) => (a < b ? -1 : 1) * (isBid ? -1 : 1));
    const width = this.tick * BigInt(multiple);
    const rows = [];
    for (const key of keys) {
      const bucket = isBid ? (key / width) * width : ((key + width - 1n) / width) * width;
      let row = rows.at(-1);
      if (!row || row.key !== bucket) {
        if (rows.length === count) break;
        row = { key: bucket, price: text(bucket, this.places), quantity: new Big(0) };
        rows.push(row);
      }
      row.quantity = row.quantity.plus(side.get(key));
    }
    let total = new Big(0);
    for (const row of rows) {
      total = total.plus(row.quantity);
      row.total = total;
    }
    return rows;
  }

  best(name) {
    return this.levels(name, 1)[0] ?? null;
  }
}
