// Elements, and texts that are written only when they change: a page is brought up to date each second.

export function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name) {
  if (node.className !== name) node.className = name;
}

// A section with a heading; "key" is where the reader's tools find it.
export function section(key, title, ...children) {
  return make(
    "section",
    { "aria-labelledby": `h-${key}`, class: key },
    make("h2", { id: `h-${key}`, text: title }),
    ...children,
  );
}

// Brings the children of "parent" to one for each item: "create(item)" makes one, "update(node, item)" follows it.
export function follow(parent, items, identify, create, update) {
  const known = (parent.known ??= new Map());
  const wanted = new Set(items.map(identify));
  for (const [id, node] of known) {
    if (!wanted.has(id)) {
      node.remove();
      known.delete(id);
    }
  }
  items.forEach((item, index) => {
    const id = identify(item);
    let node = known.get(id);
    if (!node) known.set(id, (node = create(item)));
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
    update(node, item);
  });
}

export function stored(key, fallback) {
  try {
    return localStorage.getItem(`packbank.${key}`) ?? fallback;
  } catch {
    return fallback;
  }
}

export function store(key, value) {
  try {
    localStorage.setItem(`packbank.${key}`, value);
  } catch {
    // a browser that keeps nothing: the choice holds until the page is closed
  }
}
