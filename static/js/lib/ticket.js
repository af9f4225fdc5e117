// The ticket: shares of what is available, estimates, sending once, refusals beside their field.

import { $, clone, format, hook } from "./dom.js";
import { amount, atPlaces, Big, big, decimals, floorTo, typed } from "./decimal.js";
import { ApiError, call } from "./http.js";
import { FIELDS as LEG_FIELDS, hundredths, KINDS, Legs } from "./legs.js";

const PREVIEW_WAIT_MS = 250;
const WARN_PERCENT = 1;
const FIELDS = [...new Set(["stop_price", "trailing_delta", "price", "quantity", "quote_quantity", "iceberg_quantity", ...LEG_FIELDS])];

export class Ticket {
  constructor(form, config, texts, { onPlaced, onUnknown }) {
    this.form = form;
    this.config = config;
    this.texts = texts;
    this.available = { base: hookText(form, "base"), quote: hookText(form, "quote") };
    this.lastPrice = null;
    this.best = { ask: null, bid: null };
    this.isPaused = false;
    this.nonces = new Map();
    this.legs = new Legs((name) => this.value(name));
    this.submit = hook("submit", form);
    this.onPlaced = onPlaced;
    this.onUnknown = onUnknown;
    this.listen();
  }

  listen() {
    this.form.addEventListener("input", () => this.changed());
    this.form.addEventListener("submit", (event) => this.send(event));
    const shares = hook("percents", this.form);
    shares.hidden = Boolean(this.config.obstacle);
    shares.addEventListener("click", (event) => {
      const button = event.target.closest("[data-share]");
      if (button) this.share(Number(button.dataset.share));
    });
    this.changed();
  }

  value(name) {
    const field = this.form.elements[name];
    if (field?.type === "checkbox") return field.checked ? "on" : "";
    return field ? field.value : "";
  }

  /** The type as the venue names it. */
  get type() {
    const tab = this.value("type");
    if (tab === "STOP") return this.value("stop_kind");
    return tab === "LIMIT" && this.value("post_only") ? "LIMIT_MAKER" : tab;
  }
  get isMarket() { return this.type === "MARKET"; }
  get isStop() { return this.value("type") === "STOP"; }
  get isPair() { return this.type === "OCO"; }
  get isList() { return KINDS.includes(this.type); }
  get hasPrice() { return this.isList ? this.legs.wanted.includes("price") : this.type.includes("LIMIT"); }
  get isBuy() { return this.value("side") === "BUY"; }
  get isByTotal() { return this.isMarket && this.value("measure") === "quote_quantity"; }

  set(name, text) {
    this.form.elements[name].value = text;
    this.changed();
  }

  side(name) {
    this.form.elements.side.value = name;
    this.changed();
  }

  /** A price from the book: it makes the ticket a limit order. */
  price(text) {
    if (!this.hasPrice) this.form.elements.type.value = "LIMIT";
    this.set("price", text);
    this.form.elements.quantity.focus({ preventScroll: true });
  }

  offerPrice(text) {
    this.lastPrice = text;
    if (["LIMIT", "OTO", "OTOCO"].includes(this.value("type")) && !this.value("price") && document.activeElement !== this.form.elements.price) {
      this.form.elements.price.value = text;
      this.changed();
    }
  }

  balances(base, quote) {
    this.available = { base, quote };
    hook('available="base"', this.form).textContent = amount(base);
    hook('available="quote"', this.form).textContent = amount(quote);
  }

  /** A quarter, half, three quarters or all of what is available, floored to the step. */
  share(quarters) {
    const part = (text) => new Big(text).times(quarters).div(4);
    if (!this.isBuy) {
      this.form.elements.measure.value = "quantity";
      this.set("quantity", floorTo(part(this.available.base), this.config.step).toFixed());
    } else if (!this.isMarket) {
      const price = this.dearest() ?? big(this.lastPrice);
      if (!price || price.eq(0)) return;
      if (!this.value("price")) this.form.elements.price.value = this.lastPrice;
      this.set("quantity", floorTo(part(this.available.quote).div(price), this.config.step).toFixed());
    } else {
      this.form.elements.measure.value = "quote_quantity";
      const places = Math.min(decimals(this.config.tick), this.config.quoteScale);
      this.set("quote_quantity", part(this.available.quote).round(places, Big.roundDown).toFixed());
    }
  }

  /** What one unit costs at most, when that is known. */
  dearest() {
    const [price, stop] = [big(this.value("price")), this.isPair ? big(this.value("stop_limit_price")) : null];
    return price && stop && stop.gt(price) ? stop : price;
  }

  /** The order as the API takes it; what is not a number stays as it was typed, for the API to refuse. */
  order() {
    const plain = (name) => typed(this.value(name)) ?? this.value(name).trim();
    if (this.isList) return this.legs.body(this.config.symbol);
    const order = { symbol: this.config.symbol, side: this.value("side"), type: this.type };
    if (this.isByTotal) return { ...order, quote_quantity: plain("quote_quantity") };
    order.quantity = plain("quantity");
    if (this.hasPrice) order.price = plain("price");
    if (this.hasPrice && order.type !== "LIMIT_MAKER") order.time_in_force = this.value("time_in_force");
    if (this.hasPrice && this.value("iceberg_quantity")) order.iceberg_quantity = plain("iceberg_quantity");
    if (this.isStop && this.value("stop_price")) order.stop_price = plain("stop_price");
    if (this.isStop && this.value("trailing_delta")) order.trailing_delta = hundredths(plain("trailing_delta"));
    return order;
  }

  changed() {
    for (const name of FIELDS) this.complain(name, "");
    this.complainAbove("");
    this.warn("");
    clearTimeout(this.previewing);
    hook("outlook", this.form).hidden = true;
    this.isMarket ? this.estimateMarket() : this.estimateLimit();
    if (this.isList && this.config.obstacle !== "anonymous" && !this.unclear()) {
      this.previewing = setTimeout(() => this.foretell(), PREVIEW_WAIT_MS);
    }
  }

  show(name, text, asset) {
    const line = hook(`estimate-${name}`, this.form);
    if (line) line.textContent = text === null ? "–" : `${text} ${asset}`;
  }

  estimateLimit() {
    const [price, quantity] = [big(this.value(this.hasPrice ? "price" : "stop_price")), big(this.value("quantity"))];
    const { base, quote, feeBps, makerFeeBps, baseScale, quoteScale } = this.config;
    const isMaker = this.type === "LIMIT_MAKER" || this.isList && !this.isPair && this.value("post_only");
    const rate = isMaker ? makerFeeBps : feeBps;
    if (!price || !quantity) {
      for (const name of ["total", "fee", "receive", "held"]) this.show(name, null);
      return;
    }
    const total = price.times(quantity);
    const [gross, asset, scale] = this.isBuy ? [quantity, base, baseScale] : [total, quote, quoteScale];
    const fee = gross.times(rate).div(10_000).round(scale, Big.roundDown);
    this.show("total", amount(total.toFixed()), quote);
    this.show("fee", amount(fee.toFixed()), asset);
    this.show("receive", amount(gross.minus(fee).toFixed()), asset);
    const held = this.isBuy ? this.dearest().times(quantity) : quantity;
    this.show("held", amount(held.toFixed()), this.isBuy ? quote : base);
    if (!this.isStop && !this.isPair) this.warnFar(price);
  }

  /** The way the order would take, where the market's orders may take others than its own. */
  showRoute(route) {
    const line = hook("estimate-route", this.form);
    line.textContent = route?.text ?? "";
    line.parentElement.hidden = !route;
  }

  estimateMarket() {
    for (const name of ["average", "worst", "pay", "fee", "receive", "route"]) this.show(name, null);
    const wanted = big(this.value(this.isByTotal ? "quote_quantity" : "quantity"));
    if (!wanted || wanted.eq(0) || this.config.obstacle === "anonymous") return;
    this.previewing = setTimeout(() => this.preview(), PREVIEW_WAIT_MS);
  }

  async preview() {
    const order = this.order();
    try {
      const { body } = await call("POST", "/api/v1/orders/preview/", { body: order });
      if (JSON.stringify(order) === JSON.stringify(this.order())) this.showPreview(body);
    } catch (error) {
      if (error instanceof ApiError && error.status && error.status < 500) this.refuse(error);
    }
  }

  showPreview(found) {
    const { base, quote } = this.config;
    const [pay, payAsset, gross, asset] = this.isBuy
      ? [found.quote, quote, found.quantity, base] : [found.quantity, base, found.quote, quote];
    const places = decimals(this.config.tick);
    const rounded = (text) => atPlaces(new Big(text).round(places, Big.roundHalfUp), places);
    this.show("average", found.average ? rounded(found.average) : null, quote);
    const worst = found.limit_price ?? found.worst;
    const name = hook("worst-name", this.form);
    name.textContent = found.limit_price ? name.dataset.allowed : name.dataset.expected;
    this.show("worst", worst ? rounded(worst) : null, quote);
    this.show("pay", amount(pay), payAsset);
    this.show("fee", amount(found.fee), asset);
    this.show("receive", amount(new Big(gross).minus(found.fee).toFixed()), asset);
    this.showRoute(found.route);
    const percent = new Big(found.slippage_bps ?? 0).div(100);
    const share = new Big(found.filled_share ?? 0).times(100).round(1, Big.roundDown);
    if (!found.is_complete) this.warn(format(this.texts.onlyPart, { percent: share.toFixed() }));
    else if (percent.gte(WARN_PERCENT)) this.warn(format(this.texts.movesPrice, { percent: percent.toFixed(1) }));
  }

  /** What a list sets aside and what can happen to it, in the server's words. */
  async foretell() {
    const order = this.order();
    const isStill = () => JSON.stringify(order) === JSON.stringify(this.order());
    try {
      const { body } = await call("POST", "/api/v1/order-lists/preview/", { body: order });
      if (isStill()) this.showOutlook(body.outlook);
    } catch (error) {
      // It is not sent yet, so nothing is marked as wrong: it is only said.
      if (error instanceof ApiError && error.status && error.status < 500 && isStill()) this.warn(error.message);
    }
  }

  showOutlook(sentences) {
    const list = hook("outlook", this.form);
    list.replaceChildren(...sentences.map((sentence) => {
      const line = clone(hook("outlook-line", this.form));
      line.textContent = sentence;
      return line;
    }));
    list.hidden = false;
  }

  /** Is the limit far beyond the other side of the book? */
  warnFar(price) {
    const best = this.isBuy ? this.best.ask : this.best.bid;
    if (!best) return;
    const percent = price.minus(best).div(best).times(this.isBuy ? 100 : -100);
    const sentence = this.isBuy ? this.texts.farAbove : this.texts.farBelow;
    if (percent.gte(WARN_PERCENT)) this.warn(format(sentence, { percent: percent.toFixed(1) }));
  }

  warn(sentence) {
    const line = hook("ticket-warning", this.form);
    line.textContent = sentence;
    line.hidden = !sentence;
  }

  complain(name, sentence) {
    const line = $(`[data-error="${name}"]`, this.form);
    if (!line) return;
    line.textContent = sentence;
    line.hidden = !sentence;
    if (sentence) line.closest("details")?.setAttribute("open", "");
    const field = this.form.elements[name];
    if (sentence) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    if (sentence) field.setAttribute("aria-describedby", line.id);
  }

  complainAbove(sentence) {
    const note = hook("ticket-error", this.form);
    note.firstElementChild.textContent = sentence;
    note.hidden = !sentence;
  }

  refuse(error) {
    const name = this.isList ? this.legs.named(error.field) : error.field;
    const field = FIELDS.includes(name) ? this.form.elements[name] : null;
    if (field?.offsetParent) this.complain(name, error.message);
    else this.complainAbove(error.message || this.texts.unknown);
  }

  /** The first field that is missing or no clear number. */
  unclear() {
    const single = [...(this.hasPrice ? ["price"] : []), this.isByTotal ? "quote_quantity" : "quantity"];
    const wanted = this.isList ? this.legs.wanted : single;
    const given = this.isList ? this.legs.given
      : ["stop_price", "trailing_delta", "iceberg_quantity"].filter((name) => this.shows(name) && this.value(name));
    return [...wanted, ...given].find((name) => typed(this.value(name)) === null);
  }

  /** It is named here, without asking anybody. */
  check() {
    const bad = this.unclear();
    if (!bad) return true;
    this.complain(bad, this.texts.notANumber);
    this.form.elements[bad].focus();
    return false;
  }

  shows(name) {
    return name === "iceberg_quantity" ? this.hasPrice : this.isStop;
  }

  async send(event) {
    event.preventDefault();
    if (this.isSending || this.isPaused || !this.submit || !this.check()) return;
    this.busy(true);
    const order = this.order();
    const key = JSON.stringify(order);
    const nonce = this.nonces.get(key) ?? crypto.randomUUID();
    const field = this.form.elements[this.isByTotal ? "quote_quantity" : "quantity"];
    const sent = field.value;
    this.nonces.set(key, nonce);
    try {
      const path = order.kind ? "/api/v1/order-lists/" : "/api/v1/orders/";
      const { body } = await call("POST", path, { body: order, headers: { "Idempotency-Key": nonce } });
      this.nonces.delete(key);
      this.onPlaced(body);
      // What was typed while the answer was on its way is the next order's.
      if (field.value === sent) field.value = "";
      this.changed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Only an unanswered order keeps its nonce: sending it again then asks for the same one.
      if (error.isUnknown) this.complainAbove(this.texts.unknown);
      else this.refuse(error);
      if (error.isUnknown) this.onUnknown();
      else this.nonces.delete(key);
    } finally {
      this.busy(false);
    }
  }

  busy(isSending) {
    this.isSending = isSending;
    this.able();
    this.submit.setAttribute("aria-busy", String(isSending));
  }

  /** While prices are not live nobody should trade on them; the reason is written above the button. */
  pause(sentence) {
    this.isPaused = Boolean(sentence);
    const notice = hook("ticket-notice", this.form);
    if (notice.textContent !== sentence) notice.textContent = sentence;
    notice.hidden = !sentence;
    this.able();
  }

  able() {
    if (this.submit) this.submit.disabled = this.isPaused || this.isSending;
  }
}

function hookText(form, name) {
  return hook(`available="${name}"`, form).textContent.replaceAll(",", "").trim() || "0";
}

/** The sentence for an order's state after it was placed. */
export function placedSentence(placed, texts) {
  if (placed.kind && placed.status !== "REJECT" && !placed.orders.some((one) => one.status === "PENDING")) {
    return format(placed.orders.length > 2 ? texts.threePlaced : texts.listPlaced, { id: placed.id });
  }
  const order = placed.kind ? placed.orders[0] : placed;
  const text = { FILLED: texts.filled, PENDING: texts.pending, REJECTED: texts.rejected, EXPIRED: texts.expired }[order.status];
  return format(text ?? texts.placed, { id: order.id, reason: order.reason ?? "" });
}
