// Chooses the page by the part of the address behind #, and brings it up to date with the stream.

import { Alarms, BankPage } from "./bank.js";
import { BusesPage } from "./buses.js";
import { ChartsPage } from "./charts.js";
import { mark, say } from "./dom.js";
import { EventsPage } from "./events.js";
import { Feed } from "./feed.js";
import { PackPage } from "./pack.js";
import { number } from "./words.js";

const find = (id) => document.getElementById(id);
const [main, lost, age] = ["main", "lost", "age"].map(find);
let page = null;
let shown = "";
let keys = null;
let alarms = null;

const feed = new Feed(show);

function choose(where) {
  const pack = /^#\/pack\/([1-9][0-9]*)$/.exec(where);
  if (pack && feed.packs[pack[1] - 1]) return new PackPage(feed, pack[1] - 1, keys);
  if (where === "#/charts") return new ChartsPage();
  if (where === "#/events") return new EventsPage();
  if (where === "#/buses") return new BusesPage(feed, keys);
  return new BankPage(feed);
}

function route() {
  const where = location.hash || "#/";
  if (!where.startsWith("#/")) return; // a place on the page
  if (page && where !== shown) window.scrollTo(0, 0);
  const first = !page;
  page?.close?.();
  page = choose(where);
  shown = where;
  main.replaceChildren(page.node);
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.hash === where) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!first) page.node.querySelector("h1").focus({ preventScroll: true });
  page.update();
}

function show() {
  warn();
  if (!feed.bank || !keys) return;
  if (!page) {
    alarms = new Alarms(feed, find("alarms"));
    route();
  }
  if (feed.lost) return;
  alarms.update();
  page.update();
  const { soc, power } = feed.bank;
  document.title = `${number(soc, 0, "%")} ${number(power === null ? null : power / 1000, 1, "kW")} · ${page.title} · packbank`;
}

// What is on the screen must look as old as it is.
function warn() {
  const seconds = Math.round(feed.age);
  mark(document.body, feed.lost ? "lost" : "");
  say(
    lost,
    feed.lost
      ? `✕ Nothing is heard from packbank${feed.bank ? `. What you see is ${seconds < 60 ? "some seconds" : `${Math.round(seconds / 60)} min`} old` : ""}; trying again`
      : "",
  );
  say(age, !feed.bank ? "" : feed.lost ? `✕ ${seconds} s old` : `● live · ${Math.floor(feed.age)} s`);
}

async function load() {
  try {
    keys = await (await fetch("api/keys")).json();
    show();
  } catch {
    setTimeout(load, 2000);
  }
}

window.addEventListener("hashchange", () => feed.bank && keys && route());
window.addEventListener("resize", () => (page?.resize?.(), page?.update()));
load();
