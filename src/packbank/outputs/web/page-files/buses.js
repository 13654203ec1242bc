// The buses with their counters, what was refused, and which packs are in trouble.

import { follow, make, mark, say } from "./dom.js";
import { at, shown } from "./words.js";

export class BusesPage {
  constructor(feed, keys) {
    this.feed = feed;
    this.keys = keys.bus;
    this.title = "Buses";
    this.list = make("div", { class: "buses" });
    this.node = make("div", {}, make("h1", { tabindex: "-1", text: "Buses" }), this.list);
  }

  update() {
    follow(
      this.list,
      this.feed.buses,
      ({ name }) => name,
      (bus) => this.create(bus),
      (node, bus) => this.refresh(node, bus),
    );
  }

  create(bus) {
    const parts = {
      state: make("p"),
      troubles: make("ul"),
      values: make("dl", { class: "facts" }),
      refused: make("p"),
    };
    const node = make(
      "section",
      { "aria-label": `bus ${bus.name}` },
      make("h2", { text: bus.name }),
      ...Object.values(parts),
    );
    node.parts = parts;
    return node;
  }

  refresh(node, bus) {
    const { state, troubles, values, refused } = node.parts;
    const well = ["polling", "listening", "receiving"].includes(bus.state);
    say(state, `${well ? "●" : "△"} ${bus.state}, ${bus.port}${bus.error ? `: ${bus.error}` : ""}`);
    mark(state, well ? "good" : "warn");
    follow(
      troubles,
      bus.troubles,
      ({ address, text }) => `${address} ${text}`,
      () => make("li", { class: "warn" }),
      (item, { address, text, remedy }) =>
        say(item, `△ pack 0x${address.toString(16).padStart(2, "0")}: ${text}; ${remedy}`),
    );
    const rows = this.keys.filter(([key]) => !["name", "port", "state", "error"].includes(key));
    follow(
      values,
      rows,
      ([key]) => key,
      ([, title]) => make("div", {}, make("dt", { text: title }), make("dd")),
      (item, [key, , unit, digits]) => say(item.lastChild, shown(at(bus, key), unit, digits)),
    );
    const counts = Object.entries(bus.refused)
      .map(([reason, count]) => `${count} ${reason}`)
      .join(", ");
    const recent = bus.recent
      .map(({ address, reason, detail }) => `0x${address.toString(16).padStart(2, "0")} ${reason} ${detail}`.trim())
      .join("; ");
    say(refused, counts ? `Answers refused: ${counts}. The last ones: ${recent}` : "No answer was refused.");
  }
}
