// What happened: causes of limits, alarms, lost and returned packs, stages; the newest first.

import { make } from "./dom.js";

const AGAIN = 30000; // ms
const DAYS = 7;

export class EventsPage {
  constructor() {
    this.title = "Events";
    this.due = 0;
    this.note = make("p", { class: "muted", role: "status", text: "Loading …" });
    this.list = make("tbody");
    const head = make("tr", {}, ...["Time", "Kind", "Event"].map((text) => make("th", { scope: "col", text })));
    const table = make("table", { class: "events" }, make("thead", {}, head), this.list);
    this.node = make("div", {}, make("h1", { tabindex: "-1", text: "Events" }), this.note, table);
  }

  update() {
    if (performance.now() < this.due) return;
    this.due = performance.now() + AGAIN;
    this.load().catch((error) => (this.note.textContent = `The events cannot be read: ${error.message}`));
  }

  async load() {
    const answer = await fetch(`api/events?hours=${24 * DAYS}`);
    if (!answer.ok) throw new Error(await answer.text());
    this.show(await answer.json());
  }

  show({ events, longest }) {
    const days = Math.min(DAYS, Math.floor(longest / 24));
    const kept = longest > 24 ? "" : " Events are kept with [history] in config.ini only.";
    this.note.textContent = `${events.length || "No"} events in the last ${days > 1 ? `${days} days` : "day"}.${kept}`;
    this.list.replaceChildren(...events.reverse().map(row));
  }
}

function row({ time, level, kind, text }) {
  const when = new Date(time * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
  const warning = level === "warning";
  return make(
    "tr",
    { class: warning ? "warn" : "" },
    make("td", {}, make("time", { datetime: new Date(time * 1000).toISOString(), text: when })),
    make("td", { text: warning ? `△ ${kind}` : kind }),
    make("td", { text }),
  );
}
