// Candles above, volume below, drawn by lightweight-charts. Its attribution is the page's own visible link.

import { CandlestickSeries, createChart, HistogramSeries, LineStyle } from "../../vendor/lightweight-charts.standalone.production.mjs";
import { group } from "./decimal.js";

const language = document.documentElement.lang || "en";
const full = new Intl.DateTimeFormat(language, { year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const TICKS = [
  new Intl.DateTimeFormat(language, { year: "numeric" }),
  new Intl.DateTimeFormat(language, { month: "short" }),
  new Intl.DateTimeFormat(language, { month: "short", day: "numeric" }),
  new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
];

/** A token's colour as the browser resolved it for the current theme. */
function colour(name, element) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const faded = (rgb) => rgb.replace("rgb(", "rgba(").replace(")", ", 0.45)");

export class CandleChart {
  constructor(element, { places, onHover }) {
    this.element = element;
    this.candles = new Map();
    this.lines = [];
    this.chart = createChart(element, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11 },
      localization: { locale: language, timeFormatter: (time) => full.format(new Date(time * 1000)) },
      timeScale: {
        timeVisible: true,
        rightOffset: 4,
        tickMarkFormatter: (time, kind) => TICKS[Math.min(kind, 3)].format(new Date(time * 1000)),
      },
      crosshair: { mode: 0 },
    });
    const priceFormat = { type: "custom", minMove: 10 ** -places, formatter: (price) => group(price.toFixed(places)) };
    this.price = this.chart.addSeries(CandlestickSeries, { priceFormat });
    this.volume = this.chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false }, 1);
    this.chart.panes()[1].setStretchFactor(0.22);
    this.chart.panes()[0].setStretchFactor(1);
    this.chart.subscribeCrosshairMove((move) => onHover(move.time ? this.candles.get(move.time) : this.last()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.paint();
  }

  paint() {
    const name = (token) => colour(token, this.element);
    const [line, text, surface, up, down, accent] = ["line", "text-3", "surface", "up", "down", "accent"].map(name);
    this.colours = { up, down, accent };
    this.chart.applyOptions({
      layout: { background: { color: surface }, textColor: text, panes: { separatorColor: line, separatorHoverColor: line } },
      grid: { vertLines: { color: faded(line) }, horzLines: { color: faded(line) } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    this.price.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    this.draw();
  }

  bar(candle) {
    const isUp = Number(candle.close) >= Number(candle.open);
    return {
      price: { time: candle.open_at, open: Number(candle.open), high: Number(candle.high), low: Number(candle.low), close: Number(candle.close) },
      volume: { time: candle.open_at, value: Number(candle.volume), color: faded(isUp ? this.colours.up : this.colours.down) },
    };
  }

  draw() {
    const bars = [...this.candles.values()].map((candle) => this.bar(candle));
    this.price.setData(bars.map((bar) => bar.price));
    this.volume.setData(bars.map((bar) => bar.volume));
  }

  /** All candles anew, oldest first. */
  set(candles) {
    this.candles = new Map(candles.map((candle) => [candle.open_at, candle]));
    this.draw();
    this.chart.timeScale().setVisibleLogicalRange({ from: candles.length - 110, to: candles.length + 4 });
  }

  /** The running candle, or the next one. */
  update(candle) {
    const last = this.last();
    if (last && candle.open_at < last.open_at) return;
    this.candles.set(candle.open_at, candle);
    const bar = this.bar(candle);
    this.price.update(bar.price);
    this.volume.update(bar.volume);
  }

  last() {
    return [...this.candles.values()].at(-1) ?? null;
  }

  /** The customer's own open orders as lines at their price. */
  mark(orders) {
    for (const line of this.lines) this.price.removePriceLine(line);
    this.lines = orders.map(({ price, side, title }) => this.price.createPriceLine({
      price: Number(price), title, lineWidth: 1, lineStyle: LineStyle.Dashed,
      color: side === "BUY" ? this.colours.up : this.colours.down,
    }));
  }
}
