// The heat map on a canvas: a row of cells for each pack, or for large banks a square for each pack. What it shows is
// also in the table of packs, and its numbers are printed where there is room, so colour is a help and no more.

import { css, ink, ramp } from "./colours.js";
import { make, store, stored } from "./dom.js";
import { number, signed } from "./words.js";

const ROWS_UP_TO = 64; // packs that are shown cell by cell
const GAP = 2;
const SQUARE = 30; // px, at least
const BETWEEN = 18; // px between two blocks of squares
const FONT = "system-ui, sans-serif";
const QUANTITIES = [
  {
    key: "deviation",
    title: "cells: mV from their pack's mean",
    unit: "mV",
    get: (pack) => pack.worst,
    around: true,
    scales: [5, 10, 20, 50, 100, 200],
    usual: 20,
  },
  { key: "soc", title: "state of charge, %", unit: "%", get: (pack) => pack.soc, range: [0, 100] },
  {
    key: "current",
    title: "current, A",
    unit: "A",
    get: (pack) => pack.current,
    around: true,
    scales: [10, 20, 50, 100, 200],
    usual: 50,
  },
  { key: "hot", title: "warmest sensor, °C", unit: "°C", get: (pack) => pack.hot, range: [0, 60] },
  { key: "mos", title: "MOSFETs, °C", unit: "°C", get: (pack) => pack.mos, range: [0, 100] },
  { key: "age", title: "time without an answer, s", unit: "s", get: (pack) => pack.age, range: [0, 60] },
];

export class HeatMap {
  constructor() {
    this.places = [];
    this.canvas = make("canvas", { role: "img", onclick: (event) => this.click(event) });
    this.legend = make("canvas", { class: "legend", width: 120, height: 12, "aria-hidden": "true" });
    this.limits = [make("span"), make("span")];
    this.quantity = this.select(
      "map.quantity",
      "Show",
      QUANTITIES.map(({ key, title }) => [key, title]),
      "deviation",
    );
    this.scale = make("select", { "aria-label": "Scale", onchange: () => this.chosen() });
    this.node = make(
      "div",
      {},
      make(
        "div",
        { class: "tools" },
        this.quantity,
        this.scale,
        make("span", { class: "scale" }, this.limits[0], this.legend, this.limits[1]),
      ),
      this.canvas,
      make("p", {
        class: "muted",
        text: "Hatched: no fresh values. Tap a pack to open it. The table below says the same in numbers.",
      }),
    );
    this.offerScales();
  }

  select(key, label, options, usual) {
    const node = make(
      "select",
      { "aria-label": label, onchange: () => (store(key, node.value), this.offerScales(), this.draw()) },
      ...options.map(([value, text]) => make("option", { value, text })),
    );
    node.value = stored(key, usual);
    if (!node.value) node.value = usual;
    return node;
  }

  get what() {
    return QUANTITIES.find(({ key }) => key === this.quantity.value);
  }

  // Scales are fixed steps, so that a picture of today can be held beside one of yesterday.
  offerScales() {
    const { key, scales, unit, usual } = this.what;
    this.scale.hidden = !scales;
    this.scale.replaceChildren(...(scales ?? []).map((value) => make("option", { value, text: `±${value} ${unit}` })));
    if (scales) this.scale.value = stored(`map.${key}`, usual);
  }

  chosen() {
    store(`map.${this.what.key}`, this.scale.value);
    this.draw();
  }

  update(packs) {
    this.packs = packs;
    this.draw();
  }

  range() {
    return this.what.scales ? [-Number(this.scale.value), Number(this.scale.value)] : this.what.range;
  }

  draw() {
    const packs = this.packs;
    const width = this.node.clientWidth;
    if (!packs?.length || !width) return;
    const byCell = this.what.key === "deviation" && packs.length <= ROWS_UP_TO;
    this.places = byCell ? rows(packs, width) : squares(packs, width);
    const height = Math.max(...this.places.map(({ y, h }) => y + h)) + GAP;
    const pen = sized(this.canvas, width, height);
    const style = getComputedStyle(this.node);
    this.pen = {
      pen,
      text: style.color,
      muted: style.getPropertyValue("--muted"),
      range: this.range(),
      around: this.what.around,
    };
    for (const place of this.places) this.paint(place, byCell);
    this.describe(packs);
    this.drawLegend();
  }

  paint(place, byCell) {
    const { pen, text, muted } = this.pen;
    const { pack, x, y, w, h, title } = place;
    pen.textBaseline = "middle";
    if (title) {
      pen.fillStyle = muted;
      pen.font = `12px ${FONT}`;
      pen.textAlign = "left";
      pen.fillText(title, x, y + h / 2);
    } else if (byCell) {
      pen.fillStyle = pack.stale ? muted : text;
      pen.font = `${Math.min(13, h - 2)}px ${FONT}`;
      pen.textAlign = "left";
      pen.fillText(fitted(pen, pack.name, place.label - 6), x, y + h / 2);
      const each = (w - place.label) / Math.max(1, pack.cells.length);
      const values = pack.deviations.length ? pack.deviations : pack.cells;
      values.forEach((value, at) => this.box(pack, value, x + place.label + at * each, y, each - 1, h - 1));
    } else this.box(pack, this.what.get(pack), x, y, w, h);
  }

  box(pack, value, x, y, w, h) {
    const { pen, range, around, muted } = this.pen;
    if (value === null || pack.stale) {
      hatch(pen, x, y, w, h, muted);
      if (value === null || w < 24) return;
    }
    const colour = ramp((value - range[0]) / (range[1] - range[0]), around);
    if (!pack.stale) {
      pen.fillStyle = css(colour);
      pen.fillRect(x, y, w, h);
    }
    const beyond = value > range[1] ? "▲" : value < range[0] ? "▼" : "";
    const digits = around ? signed(Math.round(value)) : number(value);
    const shown = w >= 24 && h >= 13 ? digits : beyond;
    pen.fillStyle = pack.stale ? muted : ink(colour);
    pen.font = `${Math.min(11, h - 1)}px ${FONT}`;
    pen.textAlign = "center";
    if (shown) pen.fillText(shown, x + w / 2, y + h / 2 + 0.5);
  }

  drawLegend() {
    const [low, high] = this.range();
    const pen = sized(this.legend, 120, 12);
    for (let x = 0; x < 120; x++) {
      pen.fillStyle = css(ramp(x / 119, this.what.around));
      pen.fillRect(x, 0, 1, 12);
    }
    const text = this.what.around ? signed : number;
    this.limits[0].textContent = text(low);
    this.limits[1].textContent = text(high, 0, this.what.unit);
  }

  describe(packs) {
    const known = packs.filter((pack) => !pack.stale && this.what.get(pack) !== null);
    if (!known.length) return this.canvas.setAttribute("aria-label", "Heat map: no fresh values");
    const size = (pack) => (this.what.around ? Math.abs(this.what.get(pack)) : this.what.get(pack));
    const top = known.reduce((best, pack) => (size(pack) > size(best) ? pack : best));
    const value = number(this.what.get(top), 0, this.what.unit);
    return this.canvas.setAttribute(
      "aria-label",
      `Heat map, ${this.what.title}: ${known.length} packs, the largest ${value} in ${top.name}`,
    );
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const hit = this.places.find(
      (place) => place.pack && x >= place.x && x < place.x + place.w && y >= place.y && y < place.y + place.h,
    );
    if (hit) location.hash = `#/pack/${hit.pack.number}`;
  }
}

function rows(packs, width) {
  const h = packs.length <= 20 ? 20 : 14;
  const label = Math.min(110, Math.max(62, width / 6));
  return packs.map((pack, at) => ({ pack, x: 0, y: at * h, w: width, h, label }));
}

// A block for each bus, as many blocks side by side as there is room for.
function squares(packs, width) {
  const buses = [...new Set(packs.map((pack) => pack.bus))].map((bus) => packs.filter((pack) => pack.bus === bus));
  const largest = Math.max(...buses.map((members) => members.length));
  const across = Math.max(1, Math.min(largest, Math.floor(width / SQUARE)));
  const blocks = Math.max(1, Math.min(buses.length, Math.floor((width + BETWEEN) / (across * SQUARE + BETWEEN))));
  const each = (width + BETWEEN) / blocks;
  const [w, h] = [(each - BETWEEN) / across - GAP, 24];
  const tall = 18 + Math.ceil(largest / across) * (h + GAP) + 4;
  return buses.flatMap((members, block) => {
    const [left, top] = [(block % blocks) * each, Math.floor(block / blocks) * tall];
    const title = `${members[0].bus}: ${members[0].name} to ${members.at(-1).name}`;
    const boxes = members.map((pack, at) => ({
      pack,
      x: left + (at % across) * (w + GAP),
      y: top + 18 + Math.floor(at / across) * (h + GAP),
      w,
      h,
    }));
    return [{ title, x: left, y: top, w: each, h: 18 }, ...boxes];
  });
}

function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

function hatch(pen, x, y, w, h, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, w, h);
  pen.clip();
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.45;
  pen.beginPath();
  for (let at = -h; at < w; at += 6) {
    pen.moveTo(x + at, y + h);
    pen.lineTo(x + at + h, y);
  }
  pen.stroke();
  pen.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
  pen.restore();
}

function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && pen.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}
