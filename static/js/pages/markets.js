// Live figures in the tables of markets; rows stay where they are.

import "../lib/site.js";
import { $, $$, data, hook } from "../lib/dom.js";
import { atPlaces, change, compact, decimals } from "../lib/decimal.js";
import { showState, Socket } from "../lib/socket.js";

const rows = new Map($$("tr[data-symbol]").map((row) => [row.dataset.symbol, row]));

function show(row, ticker) {
  const places = decimals(row.dataset.tick);
  for (const name of ["last", "high", "low"]) {
    const cell = $(`[data-cell="${name}"]`, row);
    if (cell && ticker[name]) cell.textContent = atPlaces(ticker[name], places);
  }
  const volume = $('[data-cell="quote_volume"]', row);
  if (volume && ticker.quote_volume) volume.textContent = compact(ticker.quote_volume);
  const moved = change(ticker.change_percent);
  const span = document.createElement("span");
  span.className = moved.kind;
  span.textContent = moved.text;
  $('[data-cell="change"]', row).replaceChildren(span);
  $(".spark", row)?.setAttribute("class", `spark ${moved.kind}`);
}

new Socket("/ws/tickers/", {
  isTalkative: true,
  isFeed: true,
  onMessage: (message) => {
    for (const [symbol, ticker] of Object.entries(message.tickers ?? {})) {
      const row = rows.get(symbol);
      if (row) show(row, ticker);
    }
  },
  onState: showState(hook("connection"), data("texts")),
});

const search = hook("market-search");
search?.addEventListener("input", () => {
  const sought = search.value.trim().toUpperCase().replace("/", "");
  let found = 0;
  for (const [symbol, row] of rows) {
    row.hidden = !symbol.includes(sought);
    found += row.hidden ? 0 : 1;
  }
  hook("none-found").hidden = found > 0 || rows.size === 0;
});
