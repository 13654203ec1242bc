// One pack: everything that is known of it. Its values come from /api/snapshot, its presence from the stream too.

import { Charts } from "./charts.js";
import { follow, make, mark, say, section } from "./dom.js";
import { at, duration, number, shown, signed, state, UNKNOWN } from "./words.js";

const AGAIN = 2000; // ms
const SCALES = [5, 10, 20, 50, 100, 200, 500]; // mV
const ELSEWHERE = new Set([
  "name",
  "bus",
  "address",
  "presence",
  "connected",
  "age",
  "voltage",
  "current",
  "power",
  "soc",
  "soh",
  "cells",
  "temperatures",
  "temperature_mos",
  "lowest_cell",
  "highest_cell",
  "cell_difference",
  "alarm",
  "raised",
  "alarms",
  "charge_limit",
  "discharge_limit",
  "charge_mosfet",
  "discharge_mosfet",
  "balances",
  "heating",
  "remaining_capacity",
  "full_capacity",
  "cycles",
  "charge_share",
  "discharge_share",
  "allow_to_charge",
  "allow_to_discharge",
  "temperature",
  "lowest_temperature",
  "highest_temperature",
]);
const IDENTITY = ["model", "hardware", "software", "serial", "bms_name", "manufactured"];

export class PackPage {
  constructor(feed, index, keys) {
    this.feed = feed;
    this.index = index;
    this.keys = keys;
    this.due = 0;
    this.title = feed.packs[index].name;
    this.state = make("p");
    this.figures = make("dl", { class: "figures" });
    this.alarms = make("ul");
    this.scale = make("p", { class: "muted" });
    this.cells = make("tbody");
    this.limits = make("dl", { class: "facts" });
    this.parts = {
      temperatures: make("dl", { class: "facts" }),
      more: make("dl", { class: "facts" }),
      identity: make("dl", { class: "facts" }),
      settings: make("dl", { class: "facts" }),
    };
    this.read = make("p", { class: "muted" });
    this.charts = new Charts(index + 1);
    this.node = this.layout();
  }

  layout() {
    const { temperatures, more, identity, settings } = this.parts;
    return make(
      "div",
      {},
      make("div", { class: "head" }, make("h1", { tabindex: "-1", text: this.title }), this.neighbours()),
      this.state,
      this.figures,
      this.alarms,
      section("cells", "Cells", this.scale, this.cellTable()),
      section("own", "Its own limits", this.limits),
      section("temps", "Temperatures and switches", temperatures),
      section("history", "Last hours", this.charts.node),
      section("identity", "Identity", identity),
      section("more", "More values", more),
      section("settings", "Settings of its BMS", this.read, settings),
    );
  }

  neighbours() {
    const packs = this.feed.present;
    const own = packs.findIndex((pack) => pack.index === this.index);
    const step = (by, text) => make("a", { href: `#/pack/${packs.at((own + by) % packs.length)?.number}`, text });
    return make("nav", { "aria-label": "Neighbours" }, step(-1, "‹ previous"), " ", step(1, "next ›"));
  }

  cellTable() {
    const heads = ["Cell", "Volts", "Deviation as a bar", "mV from the mean", "Remark"];
    return make(
      "table",
      { class: "bars" },
      make("caption", { class: "hidden", text: "Voltage of each cell and its deviation from the mean" }),
      make("thead", { class: "hidden" }, make("tr", {}, ...heads.map((text) => make("th", { scope: "col", text })))),
      this.cells,
    );
  }

  update() {
    const pack = this.feed.packs[this.index];
    const { glyph, word, kind } = state(pack);
    const heard = pack.age === null ? "never heard" : `heard ${duration(pack.age)} ago`;
    say(
      this.state,
      `${glyph} ${word} · ${pack.bus}, address 0x${pack.address.toString(16).padStart(2, "0")} · ${heard}${pack.stale ? " · the values below are the last ones" : ""}`,
    );
    mark(this.state, kind);
    mark(this.node, pack.stale ? "stale" : "");
    this.charts.update();
    if (performance.now() < this.due || this.feed.lost) return;
    this.due = performance.now() + AGAIN;
    fetch(`api/snapshot?pack=${this.index + 1}`)
      .then((answer) => answer.json())
      .then(({ packs }) => this.show(packs[0]))
      .catch(() => null); // the stream says when the connection is lost
  }

  show(pack) {
    const [volts, amperes] = [number(pack.voltage, 2, "V"), signed(pack.current, 1, "A")];
    facts(this.figures, [
      ["State of charge", number(pack.soc, 1, "%")],
      ["Voltage", volts],
      ["Current", amperes],
      ["Power", number(pack.power, 0, "W")],
      ["Charge left, Ah", `${number(pack.remaining_capacity)} of ${number(pack.full_capacity)}`],
      ["Cycles", number(pack.cycles)],
    ]);
    const raised = Object.entries(pack.alarms).filter(([, level]) => level);
    const list = raised.length ? raised : [["", 0]];
    follow(
      this.alarms,
      list,
      ([name]) => name,
      () => make("li"),
      (node, [name, level]) => {
        mark(node, level > 1 ? "bad" : level ? "warn" : "good");
        say(
          node,
          level
            ? `${level > 1 ? "▲ alarm" : "△ warning"}: ${this.feed.about.alarm_titles[name]}`
            : pack.connected
              ? "● no alarm"
              : "alarms are not known",
        );
      },
    );
    this.showCells(pack);
    facts(
      this.limits,
      ["charge", "discharge"].map((way) => {
        const limit = pack[`${way}_limit`];
        const why = [
          limit.cause,
          limit.detail,
          limit.estimated && "taken from other packs",
          pack[`allow_to_${way}`] ? "" : `blocks ${way}`,
        ]
          .filter(Boolean)
          .join(", ");
        const share = pack[`${way}_share`];
        return [
          way,
          `${number(limit.value, 1, "A")}${why ? `: ${why}` : ""}${share ? `; carries ${number(100 * share, 1)} % of the bank's` : ""}`,
        ];
      }),
    );
    this.showRest(pack);
  }

  showCells(pack) {
    const known = pack.cells.filter((value) => value !== null);
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const off = pack.cells.map((value) => (value === null ? null : 1000 * (value - mean)));
    const most = Math.max(0, ...off.map(Math.abs));
    const scale = SCALES.find((step) => step >= most) ?? SCALES.at(-1);
    say(
      this.scale,
      known.length
        ? `Bars from −${scale} to +${scale} mV around the mean of ${number(mean, 3, "V")}; difference ${number(1000 * pack.cell_difference, 0, "mV")}`
        : "not known",
    );
    follow(
      this.cells,
      pack.cells.map((value, place) => ({ value, place })),
      ({ place }) => place,
      bar,
      (row, { value, place }) => {
        const [volts, line, deviation, remark] = row.parts;
        const number_ = place + 1;
        const words = [
          pack.highest_cell.number === number_ && "highest",
          pack.lowest_cell.number === number_ && "lowest",
        ].filter(Boolean);
        say(volts, number(value, 3, "V"));
        say(deviation, value === null ? UNKNOWN : signed(off[place], 1, "mV"));
        say(remark, words.join(", "));
        const share = Math.min(1, Math.abs(off[place] ?? 0) / scale) * 50;
        line.style.width = `${share}%`;
        line.style.left = off[place] < 0 ? `${50 - share}%` : "50%";
        mark(line, off[place] < 0 ? "below" : "above");
      },
    );
  }

  showRest(pack) {
    const onOff = (value) => (value === null ? UNKNOWN : value ? "on" : "off");
    facts(this.parts.temperatures, [
      ...pack.temperatures.map((value, place) => [`Sensor ${[1, 2, 4, 5][place]}`, number(value, 1, "°C")]),
      ["MOSFETs", number(pack.temperature_mos, 1, "°C")],
      ["Charge switch", onOff(pack.charge_mosfet)],
      ["Discharge switch", onOff(pack.discharge_mosfet)],
      ["Balancing", onOff(pack.balances)],
      ["Heating", onOff(pack.heating)],
    ]);
    const row = ([key, title, unit, digits]) => [title, shown(at(pack, key), unit, digits)];
    facts(this.parts.identity, this.keys.pack.filter(([key]) => IDENTITY.includes(key)).map(row));
    facts(
      this.parts.more,
      this.keys.pack.filter(([key]) => !ELSEWHERE.has(key.split(".")[0]) && !IDENTITY.includes(key)).map(row),
    );
    facts(
      this.parts.settings,
      this.keys.settings.map(([key, title, unit, digits]) => [title, shown(pack.settings[key], unit, digits)]),
    );
    say(this.read, pack.settings_age === null ? "not read yet" : `read ${duration(pack.settings_age)} ago`);
  }

  resize() {
    this.charts.resize();
  }

  close() {
    this.charts.close();
  }
}

function bar({ place }) {
  const line = make("div");
  const parts = [make("td", { class: "num" }), line, make("td", { class: "num" }), make("td", { class: "muted" })];
  const row = make(
    "tr",
    {},
    make("th", { scope: "row", text: place + 1 }),
    parts[0],
    make("td", { class: "bar", "aria-hidden": "true" }, make("div", {}, line)),
    parts[2],
    parts[3],
  );
  row.parts = parts;
  return row;
}

// Pairs of a term and its value; unknown ones are left out of long lists by whoever makes them.
function facts(list, pairs) {
  follow(
    list,
    pairs,
    ([term]) => term,
    ([term]) => make("div", {}, make("dt", { text: term }), make("dd")),
    (node, [, text]) => say(node.lastChild, String(text)),
  );
}
