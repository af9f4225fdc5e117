// The orders of a list as the ticket's form says them: what is sent, what must be given, and which field a refusal is about.

import { big, typed } from "./decimal.js";

export const KINDS = ["OCO", "OTO", "OTOCO"];

const FIRST = { price: "price", quantity: "quantity", time_in_force: "time_in_force", iceberg_quantity: "iceberg_quantity" };
const PENDING = {
  type: "later_kind", price: "later_price", stop_price: "later_stop_price", trailing_delta: "later_trailing",
  quantity: "later_quantity", iceberg_quantity: "later_iceberg",
};
const profit = { type: "profit_kind", stop_price: "profit_stop_price", trailing_delta: "profit_trailing", iceberg_quantity: "pair_iceberg" };
const stop = { trailing_delta: "stop_trailing", iceberg_quantity: "pair_iceberg" };
const PROFIT = {
  OCO: { ...profit, price: "price", quantity: "quantity" },
  OTOCO: { ...profit, price: "pair_price", quantity: "later_quantity" },
};
const STOP = {
  OCO: { ...stop, price: "stop_limit_price", stop_price: "stop_price", quantity: "quantity" },
  OTOCO: { ...stop, price: "pair_stop_limit_price", stop_price: "pair_stop_price", quantity: "later_quantity" },
};
const AMOUNTS = ["price", "stop_price", "trailing_delta", "quantity", "iceberg_quantity"];
export const FIELDS = [...new Set(
  [PENDING, PROFIT.OCO, PROFIT.OTOCO, STOP.OCO, STOP.OTOCO].flatMap((names) => Object.values(names)),
)];

const hasPrice = (type) => type.includes("LIMIT");
const hasTrigger = (type) => type.startsWith("STOP") || type.startsWith("TAKE");
const hasTime = (type) => hasPrice(type) && type !== "LIMIT_MAKER";

/** Percent as basis points; what is no whole number of them stays, for the API to refuse. */
export function hundredths(percent) {
  const points = big(percent)?.times(100);
  return points && points.eq(points.round()) ? points.toNumber() : percent;
}

/** `value` gives what is typed into a field of the form. */
export class Legs {
  constructor(value) {
    this.value = value;
  }

  get kind() { return this.value("type"); }
  get side() { return this.value("side"); }
  /** Of what waits, or of the two that end each other. */
  get laterSide() {
    const isSame = this.kind === "OCO" || this.value("later_side") === "same";
    return isSame ? this.side : this.side === "BUY" ? "SELL" : "BUY";
  }
  get firstType() { return this.value("post_only") ? "LIMIT_MAKER" : "LIMIT"; }
  get stopType() { return this.value(STOP[this.kind].price) ? "STOP_LOSS_LIMIT" : "STOP_LOSS"; }
  get profitType() { return this.value("profit_kind") || "LIMIT_MAKER"; }

  /** Each order by its name in the list: how the form calls its fields, its type and its side. */
  get all() {
    const found = {};
    if (this.kind !== "OCO") found.working = [FIRST, this.firstType, this.side];
    if (this.kind === "OTO") return { ...found, pending: [PENDING, this.value("later_kind"), this.laterSide] };
    const pair = [[PROFIT[this.kind], this.profitType, this.laterSide], [STOP[this.kind], this.stopType, this.laterSide]];
    const [above, below] = this.laterSide === "SELL" ? pair : pair.reverse();
    return { ...found, above, below };
  }

  /** The list as the API takes it; what is not a number stays as it was typed, for the API to refuse. */
  body(symbol) {
    const orders = Object.entries(this.all).map(([name, leg]) => [name, this.order(...leg)]);
    return { kind: this.kind, symbol, ...Object.fromEntries(orders) };
  }

  order(names, type, side) {
    const plain = (name) => typed(this.value(name)) ?? this.value(name).trim();
    const order = { side, type, quantity: plain(this.value(names.quantity) ? names.quantity : "quantity") };
    if (hasPrice(type)) order.price = plain(names.price);
    if (hasTrigger(type) && this.value(names.stop_price)) order.stop_price = plain(names.stop_price);
    if (hasTrigger(type) && this.value(names.trailing_delta)) order.trailing_delta = hundredths(plain(names.trailing_delta));
    if (this.hides(names, type) && this.value(names.iceberg_quantity)) order.iceberg_quantity = plain(names.iceberg_quantity);
    if (hasTime(type)) order.time_in_force = names.time_in_force ? this.value(names.time_in_force) : "GTC";
    return order;
  }

  /** A visible part that neither of two can have is said of one of them, for the API to refuse. */
  hides(names, type) {
    const isInVain = names === PROFIT[this.kind] && !hasPrice(this.profitType) && !hasPrice(this.stopType);
    return Boolean(names.iceberg_quantity) && (hasPrice(type) || isInVain);
  }

  /** Fields that must be given, in the order of the form. */
  get wanted() {
    if (this.kind === "OTO") return ["price", "quantity", ...(hasPrice(this.value("later_kind")) ? ["later_price"] : [])];
    const [first, last] = [PROFIT[this.kind], STOP[this.kind]];
    return [
      ...(this.kind === "OCO" ? [] : ["price", "quantity"]),
      ...(this.value("stop_trailing") ? [] : [last.stop_price]),
      ...(this.laterSide === "BUY" ? [last.price] : []),
      ...(hasPrice(this.profitType) ? [first.price] : []),
      ...(this.kind === "OCO" ? ["quantity"] : []),
    ];
  }

  /** Fields that hold something that counts. */
  get given() {
    const said = Object.values(this.all).flatMap(([names, type]) => AMOUNTS.filter((name) => {
      if (name === "quantity") return true;
      if (name === "iceberg_quantity") return this.hides(names, type);
      return name === "price" ? hasPrice(type) : hasTrigger(type);
    }).map((name) => names[name]));
    return [...new Set(said)].filter((name) => name && this.value(name));
  }

  /** The form's name for a field of one order. */
  named(path) {
    const [leg, name] = (path ?? "").split(".");
    return name ? this.all[leg]?.[0][name] : path;
  }
}
