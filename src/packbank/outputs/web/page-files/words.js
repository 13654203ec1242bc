// Numbers and states as people read them. What is not known is a dash, never a 0.

export const UNKNOWN = "–";

export function number(value, digits = 0, unit = "") {
  if (value === null || value === undefined) return UNKNOWN;
  const text = value.toFixed(digits);
  const plain = Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
  return unit ? `${plain} ${unit}` : plain;
}

export function signed(value, digits = 0, unit = "") {
  return value > 0 ? `+${number(value, digits, unit)}` : number(value, digits, unit);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const STATES = {
  lost: ["✕", "lost", "bad"],
  alarm: ["▲", "alarm", "bad"],
  warning: ["△", "warning", "warn"],
  held: ["◐", "silent", "warn"],
  joining: ["◌", "joining", "warn"],
  blocked: ["⊘", "blocks", "warn"],
  fresh: ["●", "ok", "good"],
};

// The state of a pack in a glyph, a word and a class: colour is never all there is.
export function state(pack) {
  let key = pack.presence;
  if (key === "fresh") {
    if (pack.alarms) key = "alarm";
    else if (pack.warnings) key = "warning";
    else if (pack.blocks) key = "blocked";
  }
  const [glyph, word, kind] = STATES[key] ?? ["?", key, "warn"];
  return { glyph, word, kind, rank: Object.keys(STATES).indexOf(key) };
}

// A value of the JSON under its row of /api/keys: key, title, unit, digits.
export function shown(value, unit, digits) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "number") return number(value, digits ?? 0, unit);
  if (Array.isArray(value)) return value.map((one) => shown(one, "", digits)).join("  ") + (unit ? ` ${unit}` : "");
  return value;
}

export function at(object, key) {
  return key.split(".").reduce((inner, name) => inner?.[name], object);
}
