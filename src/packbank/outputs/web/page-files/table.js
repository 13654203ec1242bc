// The table of packs: sorted by any column, filtered by words; of a large bank the first rows, until all are wanted.

import { follow, make, mark, say, store, stored } from "./dom.js";
import { duration, number, signed, state } from "./words.js";

const FIRST = 50; // rows; a browser takes 20 ms for 300
const SORT_EVERY = 5000; // ms: rows that jump each second cannot be read
const COLUMNS = [
  {
    key: "state",
    title: "State",
    get: (pack) => state(pack).rank,
    text: (pack) => `${state(pack).glyph} ${state(pack).word}`,
  },
  { key: "name", title: "Pack", get: (pack) => pack.index, text: (pack) => pack.name },
  { key: "soc", title: "SoC %", text: (pack) => number(pack.soc, 1), num: true },
  { key: "current", title: "A", text: (pack) => signed(pack.current, 1), num: true },
  { key: "voltage", title: "V", text: (pack) => number(pack.voltage, 2), num: true, wide: true },
  { key: "low", title: "Low mV", text: (pack) => number(pack.low), num: true, wide: true },
  { key: "high", title: "High mV", text: (pack) => number(pack.high), num: true, wide: true },
  { key: "delta", title: "Δ mV", text: (pack) => number(pack.delta), num: true, down: true },
  { key: "hot", title: "°C", text: (pack) => number(pack.hot, 1), num: true, down: true },
  { key: "mos", title: "MOS °C", text: (pack) => number(pack.mos, 1), num: true, wide: true, down: true },
  { key: "ccl", title: "CCL A", text: (pack) => number(pack.ccl), num: true, wide: true },
  { key: "dcl", title: "DCL A", text: (pack) => number(pack.dcl), num: true, wide: true },
  { key: "age", title: "Age", text: (pack) => duration(pack.age), num: true, wide: true, down: true },
];

export class PackTable {
  constructor() {
    this.sort = stored("sort", "name");
    this.down = stored("down", "") === "yes";
    this.all = false;
    this.sorted = 0;
    this.filter = make("input", {
      type: "search",
      placeholder: "name, bus or state",
      "aria-label": "Filter packs",
      oninput: () => this.redraw(),
    });
    this.count = make("span", { class: "muted", role: "status" });
    this.body = make("tbody");
    this.heads = COLUMNS.map((column) =>
      make(
        "th",
        { scope: "col", class: classes(column) },
        make("button", { type: "button", text: column.title, onclick: () => this.choose(column) }),
      ),
    );
    this.more = make("button", { type: "button", onclick: () => ((this.all = true), this.redraw()) });
    this.node = make(
      "div",
      {},
      make("div", { class: "tools" }, this.filter, this.count),
      make(
        "table",
        { class: "packs" },
        make("caption", { class: "hidden", text: "All packs" }),
        make("thead", {}, make("tr", {}, ...this.heads)),
        this.body,
      ),
      this.more,
    );
  }

  choose(column) {
    this.down = this.sort === column.key ? !this.down : Boolean(column.down);
    this.sort = column.key;
    store("sort", this.sort);
    store("down", this.down ? "yes" : "");
    this.redraw();
  }

  redraw() {
    this.sorted = 0;
    this.update(this.packs);
  }

  update(packs) {
    this.packs = packs;
    const now = performance.now();
    if (now - this.sorted > SORT_EVERY || packs.length !== this.order?.length) {
      this.sorted = now;
      this.order = this.inOrder(packs).map((pack) => pack.index);
    }
    const byIndex = new Map(packs.map((pack) => [pack.index, pack]));
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.order.map((index) => byIndex.get(index)).filter((pack) => pack && matches(pack, words));
    const shown = this.all ? found : found.slice(0, FIRST);
    follow(this.body, shown, (pack) => pack.index, create, refresh);
    say(this.count, words.length ? `${found.length} of ${packs.length} packs` : `${packs.length} packs`);
    this.more.hidden = shown.length === found.length;
    say(this.more, `Show all ${found.length}`);
    this.heads.forEach((head, at) => {
      const sorted = COLUMNS[at].key === this.sort ? (this.down ? "descending" : "ascending") : "none";
      head.setAttribute("aria-sort", sorted);
    });
  }

  inOrder(packs) {
    const column = COLUMNS.find(({ key }) => key === this.sort) ?? COLUMNS[1];
    const get = column.get ?? ((pack) => pack[column.key]);
    const side = this.down ? -1 : 1;
    return [...packs].sort((one, two) => {
      const [a, b] = [get(one), get(two)];
      if (a === null || b === null) return (a === null) - (b === null); // what is not known comes last
      return side * (a - b) || one.index - two.index;
    });
  }
}

function classes(column) {
  return [column.num && "num", column.wide && "wide"].filter(Boolean).join(" ");
}

function matches(pack, words) {
  const text = `${pack.name} ${pack.bus} ${state(pack).word} ${pack.presence}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function create(pack) {
  const cells = COLUMNS.map((column) =>
    make(column.key === "name" ? "th" : "td", {
      class: classes(column),
      scope: column.key === "name" ? "row" : undefined,
    }),
  );
  cells[1].append(make("a", { href: `#/pack/${pack.number}`, text: pack.name }));
  const row = make("tr", {}, ...cells);
  row.cells_ = cells;
  return row;
}

function refresh(row, pack) {
  mark(row, pack.stale ? "stale" : state(pack).kind);
  COLUMNS.forEach((column, at) => {
    if (column.key !== "name") say(row.cells_[at], column.text(pack));
  });
}
