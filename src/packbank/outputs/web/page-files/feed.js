// The stream of the bank: keeps the newest state, and knows when it is no longer new.

const LATE = 2500; // ms without a message: the connection is lost
const RENEW = 5000; // ms after which another connection is tried
const LOOK = 500; // ms

export class Feed {
  constructor(show) {
    this.show = show; // called with nothing: after a message, and when the age of the data changes
    this.bank = null;
    this.packs = [];
    this.buses = [];
    this.wall = 0;
    this.heard = performance.now();
    this.opened = 0;
    this.open();
    setInterval(() => this.look(), LOOK);
    document.addEventListener("visibilitychange", () => this.look());
  }

  // Seconds since the last message.
  get age() {
    return (performance.now() - this.heard) / 1000;
  }

  get lost() {
    return performance.now() - this.heard > LATE;
  }

  open() {
    this.source?.close();
    this.opened = performance.now();
    this.source = new EventSource("events");
    this.source.addEventListener("whole", (event) => this.take(JSON.parse(event.data), true));
    this.source.addEventListener("change", (event) => this.take(JSON.parse(event.data), false));
  }

  // A page that nobody sees asks for nothing; one that is lost tries again.
  look() {
    if (document.hidden) {
      this.source?.close();
      this.source = null;
      return;
    }
    const silent = performance.now() - Math.max(this.heard, this.opened);
    if (!this.source || silent > RENEW) this.open();
    this.show();
  }

  take(message, whole) {
    if (whole) {
      this.about = message;
      this.bank = message.bank;
      this.rows = message.rows;
    } else if (this.bank) {
      Object.assign(this.bank, message.bank);
      Object.assign(this.rows, message.rows);
    } else return;
    if (message.buses) this.buses = message.buses;
    this.wall = message.wall;
    if (message.time !== this.time) this.heard = performance.now(); // or it is what we were sent before
    this.time = message.time;
    for (const index of Object.keys(message.rows)) this.packs[index] = this.pack(Number(index));
    if (whole) this.packs.length = message.packs.length;
    this.show();
  }

  // A row of the stream as an object; cells are in mV.
  pack(index) {
    const { columns, presences, packs } = this.about;
    const row = this.rows[index];
    const pack = { index, number: index + 1, name: packs[index][0], bus: packs[index][1], address: packs[index][2] };
    columns.forEach(([key, scale], at) => (pack[key] = row[at] === null ? null : row[at] / scale));
    pack.presence = presences[pack.presence];
    pack.stale = pack.presence !== "fresh" && pack.presence !== "joining";
    pack.blocks = pack.flags & 3;
    return Object.assign(pack, cells(row.slice(columns.length)));
  }

  // Packs that are known to exist.
  get present() {
    return this.packs.filter((pack) => pack.presence !== "absent");
  }

  // The names of the alarms that are bits of "bits".
  alarms(bits) {
    return Object.keys(this.about.alarm_titles).filter((_, bit) => bits & (1 << bit));
  }
}

function cells(values) {
  const known = values.filter((value) => value !== null);
  if (!known.length)
    return { cells: values, mean: null, low: null, high: null, delta: null, deviations: [], worst: null };
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const deviations = values.map((value) => (value === null ? null : value - mean));
  const worst = high - mean > mean - low ? high - mean : low - mean;
  return {
    cells: values,
    mean,
    low,
    high,
    delta: high - low,
    deviations,
    worst,
    worstCell: deviations.indexOf(worst) + 1,
  };
}
