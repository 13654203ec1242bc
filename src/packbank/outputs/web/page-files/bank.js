// The first screen: the bank, its limits with their reasons, what is wrong, the map of cells, all packs.

import { follow, make, mark, say, section } from "./dom.js";
import { HeatMap } from "./map.js";
import { PackTable } from "./table.js";
import { duration, number, signed } from "./words.js";

const WORST = 5; // cells that are listed
const LIMITS = [
  ["CVL", "charge voltage", "charge_voltage_limit", "V", 2],
  ["CCL", "charge current", "charge_current_limit", "A", 1],
  ["DCL", "discharge current", "discharge_current_limit", "A", 1],
];

export class BankPage {
  constructor(feed) {
    this.feed = feed;
    this.title = "Bank";
    this.figures = ["State of charge", "Power", "Current", "Voltage", "Packs", "Stage"].map((title) => {
      const value = make("dd");
      const note = make("dd", { class: "muted" });
      return { value, note, node: make("div", {}, make("dt", { text: title }), value, note) };
    });
    this.limits = LIMITS.map(([name, title, key, unit, digits]) => {
      const [value, why] = [make("td", { class: "num" }), make("td")];
      return {
        key,
        unit,
        digits,
        value,
        why,
        node: make(
          "tr",
          {},
          make("th", { scope: "row" }, make("abbr", { title: `${title} limit`, text: name })),
          value,
          why,
        ),
      };
    });
    this.worst = make("ol", { class: "worst" });
    this.extremes = make("p");
    this.map = new HeatMap();
    this.table = new PackTable();
    this.node = make(
      "div",
      {},
      make("h1", { class: "hidden", tabindex: "-1", text: "Bank" }),
      make("dl", { class: "figures" }, ...this.figures.map(({ node }) => node)),
      section(
        "limits",
        "Limits, and why",
        make(
          "table",
          {},
          make(
            "thead",
            { class: "hidden" },
            make("tr", {}, ...["Limit", "Value", "Why"].map((text) => make("th", { scope: "col", text }))),
          ),
          make("tbody", {}, ...this.limits.map(({ node }) => node)),
        ),
      ),
      section("cells", "Cells furthest from their pack's mean", this.worst, this.extremes),
      section("map", "All cells", this.map.node),
      section("table", "Packs", this.table.node),
    );
  }

  update() {
    const { bank, present } = this.feed;
    this.updateFigures(bank);
    for (const { key, unit, digits, value, why } of this.limits) {
      say(value, number(bank[key].value, digits, unit));
      this.explain(why, bank[key]);
    }
    this.updateWorst(present, bank);
    this.map.update(present);
    this.table.update(present);
  }

  updateFigures(bank) {
    const flows =
      bank.current === null ? "" : bank.current > 0.05 ? "charging" : bank.current < -0.05 ? "discharging" : "at rest";
    const togo = bank.time_to_go === null || bank.current > 0 ? "" : `empty in ${duration(bank.time_to_go)}`;
    const gone = bank.offline ? `${bank.offline} not there` : "all there";
    const texts = [
      [
        number(bank.soc, 1, "%"),
        `${number(bank.remaining_capacity, 0)} of ${number(bank.installed_capacity, 0, "Ah")}`,
      ],
      [number(bank.power === null ? null : bank.power / 1000, 2, "kW"), flows],
      [signed(bank.current, 1, "A"), togo],
      [number(bank.voltage, 2, "V"), `${number(bank.temperature, 1, "°C")} on average`],
      [`${number(bank.online)} of ${number(bank.expected)}`, bank.expected ? gone : ""],
      [bank.stage || "–", bank.ready ? bank.charge_mode.replace(/^[^,]*,? ?/, "") : "not yet published"],
    ];
    texts.forEach(([value, note], at) => {
      say(this.figures[at].value, value);
      say(this.figures[at].note, note);
    });
    mark(this.figures[4].value, bank.offline ? "bad" : "");
  }

  // The reason of a limit, with a link to the pack that limits.
  explain(node, limit) {
    const pack = this.feed.packs.find(({ name }) => name === limit.pack);
    const text = limit.reason || "–";
    if (node.shown === text) return;
    node.shown = text;
    if (!pack || !text.startsWith(pack.name)) return node.replaceChildren(text);
    return node.replaceChildren(
      make("a", { href: `#/pack/${pack.number}`, text: pack.name }),
      text.slice(pack.name.length),
    );
  }

  updateWorst(packs, bank) {
    const known = packs.filter((pack) => pack.worst !== null && !pack.stale);
    const top = known.sort((one, two) => Math.abs(two.worst) - Math.abs(one.worst)).slice(0, WORST);
    follow(
      this.worst,
      top,
      (pack) => pack.index,
      (pack) => make("li", {}, make("a", { href: `#/pack/${pack.number}` })),
      (node, pack) =>
        say(
          node.firstChild,
          `${signed(Math.round(pack.worst), 0, "mV")}: ${pack.name}, cell ${pack.worstCell} (${number(pack.cells[pack.worstCell - 1] / 1000, 3, "V")})`,
        ),
    );
    const extreme = ({ value, pack, number: cell }, word) =>
      `${word} ${number(value, 3, "V")}${pack ? ` (${pack}, cell ${cell})` : ""}`;
    say(this.extremes, `Of the bank: ${extreme(bank.lowest_cell, "lowest")}, ${extreme(bank.highest_cell, "highest")}`);
  }
}

// The alarms of the bank, with the packs that raise them.
export class Alarms {
  constructor(feed, node) {
    this.feed = feed;
    this.node = node;
    this.list = make("ul");
    node.append(this.list);
  }

  update() {
    const { bank, packs, about } = this.feed;
    const raised = Object.entries(bank.alarms)
      .filter(([, level]) => level)
      .sort((one, two) => two[1] - one[1]);
    const bit = (name) => 1 << Object.keys(about.alarm_titles).indexOf(name);
    const who = (name) =>
      packs.filter(
        (pack) => (pack.alarms | pack.warnings) & bit(name) || (name === "BmsCable" && pack.presence === "lost"),
      );
    this.node.hidden = !raised.length;
    follow(
      this.list,
      raised,
      ([name]) => name,
      () => make("li"),
      (node, [name, level]) => {
        const names = who(name).map((pack) => pack.name);
        const more = names.length > 4 ? ` and ${names.length - 4} more` : "";
        const where = names.length ? ` (${names.slice(0, 4).join(", ")}${more})` : "";
        mark(node, level > 1 ? "bad" : "warn");
        say(node, `${level > 1 ? "▲ alarm" : "△ warning"}: ${about.alarm_titles[name]}${where}`);
      },
    );
  }
}
