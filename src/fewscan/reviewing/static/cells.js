// Pictures of scans in a grid that are selected by click and keys: one, a range, all.

import { counted, element, made, reviewer, sendUntilSaved, takeBackLast, takenBack, told } from "./asking.js";

export class Cells {
  // grid: the element that holds them; chosen: told how many are selected.
  constructor(grid, chosen) {
    this.grid = grid;
    this.chosen = chosen;
    this.clear();
  }

  clear() {
    this.cells = []; // what is shown: { row, button }
    this.selected = new Set();
    this.last = 0; // the cell that was selected or moved to last
    this.grid.replaceChildren();
    this.show();
  }

  get length() { return this.cells.length; }

  get rows() { return [...this.selected]; }

  show() {
    this.cells.forEach((cell) => cell.button.setAttribute("aria-selected", String(this.selected.has(cell.row))));
    this.chosen(this.selected.size);
  }

  // words: what stands below the picture; named: what it is called by who cannot see it.
  add(row, name, words, named) {
    const at = this.cells.length;
    const button = made("div", { class: "cell", role: "option", tabindex: at === 0 ? "0" : "-1", "aria-selected": "false", title: name, "aria-label": named },
      made("img", { src: `/api/scans/${row}/thumbnail.png`, alt: "", loading: "lazy" }), made("span", {}, words), made("span", { class: "mark" }, "✓"));
    button.addEventListener("click", (event) => { this.select(at, event.shiftKey); this.focus(at); });
    this.cells.push({ row, button });
    this.grid.append(button);
  }

  // What stands below a row's picture from now on.
  say(row, words) {
    const cell = this.cells.find((one) => one.row === row);
    if (cell) cell.button.querySelector("span").textContent = words;
  }

  select(at, range) {
    const [from, to] = range ? [Math.min(this.last, at), Math.max(this.last, at)] : [at, at];
    const on = range || !this.selected.has(this.cells[at].row);
    for (let place = from; place <= to; place += 1) {
      if (on) this.selected.add(this.cells[place].row);
      else this.selected.delete(this.cells[place].row);
    }
    this.last = at;
    this.show();
  }

  focus(at) {
    if (at < 0 || at >= this.cells.length) return;
    this.cells[this.last]?.button.setAttribute("tabindex", "-1");
    this.last = at;
    this.cells[at].button.setAttribute("tabindex", "0");
    this.cells[at].button.focus();
  }

  all() { this.cells.forEach((cell) => this.selected.add(cell.row)); this.show(); }

  none() { this.selected.clear(); this.show(); }

  // Select what is there of these rows, too.
  choose(rows) {
    const there = new Set(this.cells.map((cell) => cell.row));
    for (const row of rows) if (there.has(row)) this.selected.add(row);
    this.show();
  }

  // How many stand side by side.
  get across() {
    const top = this.cells[0]?.button.offsetTop;
    const next = this.cells.findIndex((cell) => cell.button.offsetTop !== top);
    return next < 0 ? Math.max(1, this.cells.length) : next;
  }

  // Whether a key was one of the grid's own.
  key(event) {
    if (!this.cells.length || !this.grid.contains(document.activeElement)) return false;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.across, ArrowUp: -this.across }[event.key];
    if (step) {
      const before = this.last;
      // Where none of them has the keys yet, it is the one that was moved to last that gets them.
      this.focus(document.activeElement === this.grid ? before : before + step);
      if (event.shiftKey) { this.selected.add(this.cells[before].row); this.selected.add(this.cells[this.last].row); this.show(); }
    } else if (event.key === " ") this.select(this.last, event.shiftKey);
    else return false;
    return true;
  }
}

// The bar's text for so many selected.
export const showChosen = (number) => { element("chosen").textContent = number ? `${number} selected` : "None selected"; };

// Save what is decided of the selected cells, and say so; returns whether any were selected.
export async function saveFor(cells, state, name) {
  const { rows } = cells;
  if (rows.length === 0) return false;
  // At once: a key that is pressed again before the next scans are there says nothing new.
  cells.none();
  try {
    await sendUntilSaved("/api/decisions", { rows, state, label: name, reviewer: reviewer(), reading: "grid" }, (text) => { element("trouble").textContent = text; });
  } catch (refused) {
    cells.choose(rows);
    throw refused;
  }
  element("saved").textContent = `Saved: ${name ?? state}, ${counted(rows.length)}`;
  return true;
}

// Take back what the reviewer said last, and say so.
export async function takeBack() {
  const taken = await takeBackLast();
  element("saved").textContent = takenBack(taken, counted(taken.rows.length));
}

// What is decided of the selected cells, by the bar's buttons and by keys; enter: what the key Enter does in the grid.
export function actOn(cells, { classes, decide, undo, enter = () => {} }) {
  const moves = (at) => { if (classes()[at]) told(decide)("label", classes()[at]); };
  const keys = { a: () => cells.all(), n: () => told(decide)("not a scan"), "?": () => told(decide)("unsure"), u: () => told(undo)() };
  element("all").addEventListener("click", () => cells.all());
  element("none").addEventListener("click", () => cells.none());
  element("undo").addEventListener("click", told(undo));
  for (const button of document.querySelectorAll("[data-state]")) button.addEventListener("click", told(() => decide(button.dataset.state)));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input:not([type=radio]), select")) return;
    if (cells.grid.contains(document.activeElement) && event.key === "Enter") enter();
    else if (/^[1-9]$/.test(event.key)) moves(event.key - 1);
    else if (keys[event.key]) keys[event.key]();
    else if (event.key === "Escape") cells.none();
    else if (!cells.key(event)) return;
    event.preventDefault();
  });
}

// The buttons that give the selected cells a class; main: the one that stands out.
export function showMoves(classes, main, decide) {
  element("moves").replaceChildren(...classes.map((name, at) => {
    const button = made("button", { type: "button" }, made("kbd", {}, at < 9 ? String(at + 1) : "·"), ` ${name === main ? "Confirm " : ""}${name}`);
    button.classList.toggle("main", name === main);
    button.addEventListener("click", told(() => decide("label", name)));
    return button;
  }));
}
