// Charts of the last hours, of the bank or of a pack; uPlot draws them.

import { lines } from "./colours.js";
import { make, store, stored } from "./dom.js";
import { number } from "./words.js";

const AGAIN = 60000; // ms
const HOURS = [1, 6, 24, 168, 720];
const HEIGHT = 180;

const CHARTS = [
  { title: "State of charge", unit: "%", digits: 1, series: [["soc", "SoC"]] },
  {
    title: "Current and its limits",
    unit: "A",
    digits: 1,
    series: [
      ["current", "current"],
      ["charge_current_limit", "CCL"],
      ["discharge_current_limit", "−DCL", -1],
    ],
  },
  { title: "Voltage", unit: "V", digits: 2, series: [["voltage", "voltage"]] },
  {
    title: "Lowest and highest cell",
    unit: "V",
    digits: 3,
    series: [
      ["lowest_cell", "lowest"],
      ["highest_cell", "highest"],
    ],
  },
  {
    title: "Temperature",
    unit: "°C",
    digits: 1,
    series: [
      ["lowest_temperature", "coldest"],
      ["highest_temperature", "warmest"],
    ],
  },
];

export class Charts {
  // "pack" is a number, or null for the bank.
  constructor(pack = null) {
    this.pack = pack;
    this.plots = [];
    this.hours = Number(stored("hours", 24));
    this.due = 0;
    this.note = make("p", { class: "muted", text: "Loading …" });
    this.buttons = HOURS.map((hours) =>
      make("button", { type: "button", text: hours > 24 ? `${hours / 24} days` : `${hours} h`, onclick: () => this.choose(hours) }),
    );
    this.area = make("div", { class: "charts" });
    this.node = make(
      "div",
      {},
      make("div", { class: "tools", role: "group", "aria-label": "Time shown" }, ...this.buttons),
      this.note,
      this.area,
    );
    this.choose(this.hours);
  }

  choose(hours) {
    this.hours = hours;
    store("hours", hours);
    HOURS.forEach((one, at) => this.buttons[at].setAttribute("aria-pressed", one === hours));
    this.due = 0;
    this.update();
  }

  update() {
    if (performance.now() < this.due) return;
    this.due = performance.now() + AGAIN;
    this.load().catch((error) => (this.note.textContent = `The history cannot be read: ${error.message}`));
  }

  async load() {
    const pack = this.pack === null ? "" : `&pack=${this.pack}`;
    const answer = await fetch(`api/history?hours=${this.hours}${pack}`);
    if (!answer.ok) throw new Error(await answer.text());
    const history = await answer.json();
    HOURS.forEach((hours, at) => (this.buttons[at].hidden = hours > Math.max(24, history.longest)));
    if (this.hours > history.longest && this.hours > 24) return this.choose(24); // chosen when more was kept
    this.show(history);
  }

  show({ times, values, period, wall, longest }) {
    const since = times.length
      ? new Date(times[0] * 1000).toLocaleString([], {
          weekday: "short",
          hour: "2-digit",
          minute: "2-digit",
          hourCycle: "h23",
        })
      : "now";
    const kept = longest > 24 ? `${Math.round(longest / 24)} days` : "while packbank runs, a day at most";
    this.note.textContent = `A sample every ${Math.round(period / 60)} min, since ${since}; kept ${kept}.`;
    this.close();
    this.area.replaceChildren();
    const wanted = CHARTS.map((chart) => ({ ...chart, series: chart.series.filter(([key]) => key in values) }));
    // All boxes before the first plot, which is as wide as its box.
    const boxes = wanted
      .filter(({ series }) => series.length)
      .map((chart) => {
        const place = make("div");
        const box = make(
          "figure",
          { role: "img" },
          make("figcaption", { text: `${chart.title}, ${chart.unit}` }),
          place,
        );
        return { chart, place, box };
      });
    this.area.append(...boxes.map(({ box }) => box));
    for (const { chart, place, box } of boxes) this.plot(chart, place, box, gaps(times, period), values, wall);
  }

  plot({ title, unit, digits, series }, place, box, times, values, wall) {
    const columns = series.map(([key, , sign = 1]) =>
      filled(times, values[key]).map((value) => (value === null ? null : sign * value)),
    );
    const known = columns.flat().filter((value) => value !== null);
    const say = (value) => number(value, digits, unit);
    box.setAttribute(
      "aria-label",
      known.length ? `${title}: ${say(Math.min(...known))} to ${say(Math.max(...known))}` : `${title}: not known`,
    );
    const style = getComputedStyle(document.body);
    const axis = {
      stroke: style.getPropertyValue("--muted"),
      grid: { stroke: style.getPropertyValue("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui",
    };
    const options = {
      width: place.clientWidth,
      height: HEIGHT,
      cursor: { y: false },
      scales: { x: { range: [wall - 3600 * this.hours, wall] } },
      axes: [
        { ...axis, space: 64, size: 28, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => number(tick, decimals(ticks))) },
      ],
      series: [
        { label: "time", value: (_, at) => (at === null ? "–" : clock(at)) },
        ...series.map(([, label], at) => ({
          label,
          stroke: lines()[at],
          width: 1.5,
          dash: at ? [6, 3 * at] : undefined,
          points: { show: times.length < 3 },
          value: (_, value) => number(value, digits, unit),
        })),
      ],
    };
    this.plots.push(new window.uPlot(options, [times.map((time) => time.at), ...columns], place));
  }

  resize() {
    for (const plot of this.plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT });
  }

  close() {
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
  }
}

// The times with a gap where samples are missing; "from" is the place of a sample, null in a gap.
function gaps(times, period) {
  const out = [];
  times.forEach((at, from) => {
    if (from && at - times[from - 1] > 2.5 * period) out.push({ at: at - period, from: null });
    out.push({ at, from });
  });
  return out;
}

function filled(times, values) {
  return times.map(({ from }) => (from === null ? null : values[from]));
}

// The time of day, or the day at midnight.
function clock(at) {
  const time = new Date(at * 1000);
  const midnight = !time.getHours() && !time.getMinutes();
  return midnight
    ? time.toLocaleDateString([], { day: "numeric", month: "short" })
    : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function decimals(ticks) {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
  return step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step) - 1e-9));
}

export class ChartsPage {
  constructor() {
    this.title = "Charts";
    this.charts = new Charts();
    this.node = make("div", {}, make("h1", { tabindex: "-1", text: "Charts of the bank" }), this.charts.node);
  }

  update() {
    this.charts.update();
  }

  resize() {
    this.charts.resize();
  }

  close() {
    this.charts.close();
  }
}
