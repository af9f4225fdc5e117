// The trade page: one public socket for the market, one private for the customer, everything else hangs on them.

import "../lib/countdown.js";
import "../lib/site.js";
import { $, $$, clone, data, fill, format, hook } from "../lib/dom.js";
import { Book } from "../lib/book.js";
import { BookView } from "../lib/bookview.js";
import { CandleChart } from "../lib/chart.js";
import { amount, atPlaces, Big, change, compact, decimals } from "../lib/decimal.js";
import { get, rows } from "../lib/http.js";
import { Mine } from "../lib/mine.js";
import { showState, Socket } from "../lib/socket.js";
import { panelTabs, tabs } from "../lib/tabs.js";
import { placedSentence, Ticket } from "../lib/ticket.js";
import { toast } from "../lib/toast.js";

const config = data("config");
const texts = data("texts");
const page = hook("trade");
const places = decimals(config.tick);
const stepPlaces = decimals(config.step);
const TAPE_ROWS = 60;
const CANDLES = 500;
const JUDGE_MS = 1_000;
const SUMMARY_MS = 10_000;
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

// ---------------------------------------------------------------- ticket and own rows
const ticket = new Ticket(hook("ticket"), config, texts, {
  onPlaced: (order) => {
    toast(placedSentence(order, texts), ["REJECTED", "REJECT"].includes(order.status) ? "error" : "success");
    mine?.want("orders", "fills", "balances");
  },
  onUnknown: () => mine?.want("orders", "fills", "balances"),
});
const mine = hook("mine-tabs") ? new Mine(hook("mine"), {
  texts, toast,
  onOrders: (orders) => showOwn(orders.filter((order) => order.symbol === config.symbol && order.price)),
  onBalances: (found) => ticket.balances(found.get(config.base)?.available ?? "0", found.get(config.quote)?.available ?? "0"),
}) : null;

function showOwn(orders) {
  view.mark(orders.map((order) => new Big(order.price).toFixed(places)));
  chart.mark(orders.map(({ price, side, quantity }) => ({ price, side, title: `${texts[side.toLowerCase()]} ${amount(quantity)}` })));
}

// ---------------------------------------------------------------- book
const book = new Book(config.tick);
const view = new BookView(hook("book"), book, config, {
  onPrice: (price) => ticket.price(price),
  onGroup: (step) => socket.send({ type: "group", step }),
});
let isDrawing = false;

function drawBook() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    view.draw();
    drawSpread();
    judge();
  });
}

function drawSpread() {
  const [ask, bid] = [book.best("asks"), book.best("bids")];
  ticket.best = { ask: ask?.price ?? null, bid: bid?.price ?? null };
  if (!ask || !bid) return;
  const spread = new Big(ask.price).minus(bid.price);
  const percent = spread.div(ask.price).times(100).toFixed(3, Big.roundHalfUp);
  hook("book-spread").textContent = format(texts.spread, { spread: atPlaces(spread, places), percent });
}

/** Is what the page shows still true? If not it is greyed, says since when, and the ticket waits. */
function judge() {
  const isOpen = socket.state === "live" || socket.state === "delayed";
  const age = (Date.now() - book.at) / 1000;
  const isStale = book.seq !== null && (book.state === "STALE" || !isOpen && age > config.staleSeconds);
  const isWaiting = book.seq === null || book.state === "SYNCING";
  const time = book.at ? clock.format(new Date(book.at)) : "–";
  const sentence = isStale ? format(texts.stale, { time }) : isWaiting && isOpen ? texts.syncing : "";
  const notice = hook("book-notice");
  if (notice.textContent !== sentence) notice.textContent = sentence;
  notice.hidden = !sentence;
  for (const panel of [hook("book"), hook("tape")]) panel.toggleAttribute("data-stale", Boolean(sentence));
  ticket.pause(sentence || !isOpen ? texts.paused : "");
}

// ---------------------------------------------------------------- tape
const tape = hook("trades");

function tapeRow(trade) {
  const row = clone(hook("trade-row"));
  const isBuy = trade.maker_side === "SELL";
  fill(row, {
    price: atPlaces(trade.price, places), quantity: atPlaces(trade.quantity, stepPlaces), time: clock.format(new Date(trade.at)),
  });
  const cell = $('[data-cell="price"]', row);
  cell.classList.add(isBuy ? "up" : "down");
  cell.dataset.mark = isBuy ? "▲" : "▼";
  return row;
}

function addTrades(trades) {
  const ordered = [...trades].sort((a, b) => b.at - a.at || b.id - a.id);
  const { id, at } = addTrades.last; // a venue that counts anew has lower ids at later times
  const fresh = ordered.filter((trade) => trade.id > id || trade.at > at);
  if (!fresh.length) return;
  if (id < 0) tape.replaceChildren();
  addTrades.last = fresh[0];
  tape.prepend(...fresh.slice(0, TAPE_ROWS).map(tapeRow));
  while (tape.rows.length > TAPE_ROWS) tape.lastElementChild.remove();
  showLast(fresh[0].price, fresh[0].maker_side === "SELL" ? "up" : "down");
}
addTrades.last = { id: -1, at: 0 };

function showLast(price, kind) {
  const text = atPlaces(price, places);
  for (const element of [hook("last"), hook("book-last")]) {
    element.textContent = text;
    element.className = kind;
  }
  document.title = `${text} ${config.base}/${config.quote} · ${config.siteName}`;
  ticket.offerPrice(new Big(price).toFixed());
}

function showDay(ticker) {
  for (const cell of $$("[data-day]")) {
    const value = ticker[cell.dataset.day];
    if (value === undefined || value === null) continue;
    if (cell.dataset.day === "change_percent") {
      const { text, kind } = change(value);
      cell.textContent = text;
      cell.className = kind;
    } else {
      cell.textContent = cell.dataset.day.endsWith("volume") ? compact(value) : atPlaces(value, places);
    }
  }
}

// ---------------------------------------------------------------- chart
const legend = hook("chart-legend");
const chart = new CandleChart(hook("chart-canvas"), { places, onHover: showLegend });
let interval = "15m";

function showLegend(candle) {
  if (!candle) return legend.replaceChildren();
  const parts = ["open", "high", "low", "close"].map((name) => [name[0].toUpperCase(), atPlaces(candle[name], places)]);
  parts.push(["V", compact(candle.volume)]);
  const moved = new Big(candle.open).eq(0) ? "0" : new Big(candle.close).minus(candle.open).div(candle.open).times(100);
  const { text, kind } = change(moved);
  const spans = parts.map(([label, value]) => {
    const [span, bold] = [document.createElement("span"), document.createElement("b")];
    bold.textContent = value;
    span.append(`${label} `, bold);
    return span;
  });
  const last = document.createElement("span");
  last.textContent = text;
  last.className = kind;
  legend.replaceChildren(...spans, last);
}

/** The API's candle as the chart keeps it: open_at in whole seconds. */
function normal(candle) {
  const at = candle.open_at;
  return { ...candle, open_at: typeof at === "number" ? at : Math.floor(Date.parse(at) / 1000) };
}

async function loadCandles() {
  const wanted = interval;
  const note = hook("chart-note");
  try {
    const answer = await get(`/api/v1/markets/${config.symbol}/candles/`, { interval: wanted, limit: CANDLES });
    if (wanted !== interval) return;
    const candles = rows(answer).map(normal).sort((a, b) => a.open_at - b.open_at);
    chart.set(candles);
    showLegend(chart.last());
    note.textContent = candles.length ? "" : texts.noCandles;
  } catch {
    note.textContent = texts.chartFailed;
  }
  note.hidden = !note.textContent;
  fillTable();
}

function fillTable() {
  const table = hook("chart-table");
  if (!table.open) return;
  const latest = [...chart.candles.values()].slice(-60).reverse();
  hook("candle-rows").replaceChildren(...latest.map((candle) => fill(clone(hook("candle-row")), {
    time: new Date(candle.open_at * 1000).toLocaleString(document.documentElement.lang),
    open: atPlaces(candle.open, places), high: atPlaces(candle.high, places), low: atPlaces(candle.low, places),
    close: atPlaces(candle.close, places), volume: amount(candle.volume),
  })));
}

hook("chart-table").addEventListener("toggle", fillTable);
hook("intervals").addEventListener("click", (event) => {
  const button = event.target.closest("[data-interval]");
  if (!button) return;
  interval = button.dataset.interval;
  for (const other of $$("[data-interval]")) other.setAttribute("aria-pressed", String(other === button));
  socket.send({ type: "interval", interval });
  loadCandles();
});

// ---------------------------------------------------------------- the public socket
const HANDLERS = {
  book: (message) => {
    if (book.apply(message)) drawBook();
    else socket.send({ type: "resync" });
  },
  trades: (message) => addTrades(message.trades),
  candle: (message) => {
    if (message.interval !== interval) return;
    chart.update(normal(message));
    showLegend(chart.last());
  },
  ticker: (message) => showDay(message),
  refused: (message) => toast(message.message, "error"),
};

const socket = new Socket(`/ws/market/${config.symbol}/`, {
  isTalkative: true,
  isFeed: true,
  onMessage: (message) => HANDLERS[message.type]?.(message),
  onOpen: (opened) => {
    book.seq = null;
    opened.send({ type: "interval", interval });
    if (book.step) opened.send({ type: "group", step: book.step });
    loadCandles();
  },
  onState: showState(hook("connection"), texts),
});

setInterval(judge, JUDGE_MS);
setInterval(() => {
  const [ask, bid] = [book.best("asks"), book.best("bids")];
  if (ask && bid) hook("book-summary").textContent = format(texts.summary, { ask: ask.price, bid: bid.price });
}, SUMMARY_MS);

// ---------------------------------------------------------------- pairs, tabs, the phone's bar
const pairs = hook("pairs");

async function fillPairs() {
  if (!pairs.open) return;
  hook("pair-search").focus();
  const found = new Map(rows(await get("/api/v1/tickers/").catch(() => [])).map((ticker) => [ticker.symbol, ticker]));
  for (const link of $$("[data-pair]")) {
    const ticker = found.get(link.dataset.pair);
    if (!ticker) continue;
    const { text, kind } = change(ticker.change_percent);
    fill(link, { last: amount(ticker.last), change: text });
    $('[data-cell="change"]', link).className = kind;
  }
}

pairs.addEventListener("toggle", fillPairs);
hook("pair-search").addEventListener("input", (event) => {
  const sought = event.target.value.trim().toUpperCase().replace("/", "");
  for (const link of $$("[data-pair]")) link.hidden = !link.dataset.pair.includes(sought);
});
hook("pair-search").addEventListener("keydown", (event) => {
  const first = $$("[data-pair]").find((link) => !link.hidden);
  if (event.key === "Enter" && first) first.click();
});

tabs(hook("phone-tabs"), (button) => { page.dataset.tab = button.dataset.show; });
if (hook("mine-tabs")) {
  panelTabs(hook("mine-tabs"));
  hook("mine").dataset.tabbed = "";
}
const bar = hook("bar");
bar.addEventListener("click", (event) => {
  const side = event.target.closest("[data-bar-side]")?.dataset.barSide;
  if (side) ticket.side(side);
});
new IntersectionObserver(([entry]) => bar.toggleAttribute("data-away", entry.isIntersecting), { threshold: 0.35 }).observe(hook("ticket"));

judge();
