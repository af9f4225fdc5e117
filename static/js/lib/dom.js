// Small words for the document: find by data- hook, clone a row, set text.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** The element with this data- hook. */
export const hook = (name, root = document) => root.querySelector(`[data-${name}]`);

/** A copy of a template's first element. */
export function clone(template) {
  return template.content.firstElementChild.cloneNode(true);
}

/** Writes each value into the element of that data-cell name. */
export function fill(row, cells) {
  for (const [name, value] of Object.entries(cells)) {
    const cell = row.querySelector(`[data-cell="${name}"]`);
    if (cell && cell.textContent !== value) cell.textContent = value;
  }
  return row;
}

/** The JSON a page brought along in a script element. */
export function data(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

/** "{n} of {m}" with its names replaced. */
export function format(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

/** The element's children become these; one that says the same as before stays, with its focus and under the finger. */
export function replace(parent, rows) {
  const before = [...parent.children];
  const kept = rows.map((row) => {
    const at = before.findIndex((old) => old.isEqualNode(row));
    return at < 0 ? row : before.splice(at, 1)[0];
  });
  for (const old of before) old.remove();
  kept.forEach((row, at) => {
    if (parent.children[at] !== row) parent.insertBefore(row, parent.children[at] ?? null);
  });
}
