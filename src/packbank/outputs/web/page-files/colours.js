// Colours that people with any kind of colour vision can distinguish: dark to light for amounts, blue to orange around 0.

const AMOUNT = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
const AROUND = [
  [0, 84, 147],
  [104, 171, 210],
  [236, 236, 232],
  [240, 168, 80],
  [190, 80, 0],
];
const AROUND_AT_NIGHT = [
  [112, 200, 255],
  [20, 104, 160],
  [46, 52, 60],
  [156, 88, 16],
  [255, 170, 70],
];
const DARK = window.matchMedia("(prefers-color-scheme: dark)");

// The colours of the lines of a chart, in order.
export function lines() {
  return DARK.matches ? ["#56b4e9", "#e69f00", "#2bc49a"] : ["#0072b2", "#d55e00", "#008563"];
}

// The colour of a share (0 to 1) of a scale, as [r, g, b].
export function ramp(share, around) {
  const stops = !around ? AMOUNT : DARK.matches ? AROUND_AT_NIGHT : AROUND;
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(place));
  return stops[at].map((from, i) => Math.round(from + (stops[at + 1][i] - from) * (place - at)));
}

export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

// Black or white, whichever is read better on that colour.
export function ink([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000" : "#fff";
}
