// Many scans of one class: selected by click and keys, and confirmed or moved together.

import { ask, askWho, element, made, percent, reviewer, send, sendUntilSaved, showStanding, told } from "./asking.js";

const AT_ONCE = 60;

let status = null;
let label = null;
let cells = []; // what is shown: { row, button }
let selected = new Set();
let last = 0; // the cell that was selected or moved to last

const which = () => document.querySelector("input[name=which]:checked").value;

function showChosen() {
  cells.forEach((cell) => cell.button.setAttribute("aria-selected", String(selected.has(cell.row))));
  element("chosen").textContent = selected.size ? `${selected.size} selected` : "None selected";
}

function select(at, range) {
  const [from, to] = range ? [Math.min(last, at), Math.max(last, at)] : [at, at];
  const on = range || !selected.has(cells[at].row);
  for (let place = from; place <= to; place += 1) {
    if (on) selected.add(cells[place].row);
    else selected.delete(cells[place].row);
  }
  last = at;
  showChosen();
}

function focus(at) {
  if (at < 0 || at >= cells.length) return;
  cells[last]?.button.setAttribute("tabindex", "-1");
  last = at;
  cells[at].button.setAttribute("tabindex", "0");
  cells[at].button.focus();
}

async function load(more) {
  const found = await ask("/api/grid", { label, reviewer: reviewer(), which: which(), start: more ? cells.length : 0, count: AT_ONCE });
  if (!more) { cells = []; selected = new Set(); last = 0; element("grid").replaceChildren(); }
  for (const one of found.scans) {
    const at = cells.length;
    const share = one.probability === null ? "" : percent(one.probability);
    const button = made("div", { class: "cell", role: "option", tabindex: at === 0 ? "0" : "-1", "aria-selected": "false", title: one.name, "aria-label": `scan ${one.row} ${share}` },
      made("img", { src: `/api/scans/${one.row}/thumbnail.png`, alt: "", loading: "lazy" }), made("span", {}, share), made("span", { class: "mark" }, "✓"));
    button.addEventListener("click", (event) => { select(at, event.shiftKey); focus(at); });
    cells.push({ row: one.row, button });
    element("grid").append(button);
  }
  element("more").hidden = cells.length >= found.total;
  const words = which() === "called" ? `scans without an answer that the model calls ${label}` : `scans said to be ${label}`;
  element("told").textContent = found.total || status.model.labels ? `${found.total.toLocaleString("en")} ${words}.` : "The model begins when scans of two classes have labels.";
  showChosen();
}

async function refresh() {
  status = await ask("/api/status", { reviewer: reviewer() });
  showStanding(status);
  label ??= status.classes[0];
  element("labels").replaceChildren(...status.classes.map((name) => {
    const button = made("button", { type: "button", "aria-pressed": String(name === label) }, name);
    button.addEventListener("click", told(async () => { label = name; await refresh(); await load(false); }));
    return button;
  }));
  element("moves").replaceChildren(...status.classes.map((name, at) => {
    const button = made("button", { type: "button" }, made("kbd", {}, at < 9 ? String(at + 1) : "·"), ` ${name === label ? "Confirm " : ""}${name}`);
    button.classList.toggle("main", name === label);
    button.addEventListener("click", told(() => decide("label", name)));
    return button;
  }));
}

async function decide(state, name = null) {
  const rows = [...selected];
  if (rows.length === 0) return;
  await sendUntilSaved("/api/decisions", { rows, state, label: name, reviewer: reviewer(), reading: "grid" }, (text) => { element("trouble").textContent = text; });
  element("saved").textContent = `Saved: ${name ?? state}, ${rows.length} ${rows.length === 1 ? "scan" : "scans"}`;
  cells.filter((cell) => selected.has(cell.row)).forEach((cell) => cell.button.remove());
  await refresh();
  await load(false);
}

async function undo() {
  const taken = await send("/api/undo", { reviewer: reviewer() });
  element("saved").textContent = `Taken back: ${taken.label ?? taken.state}, ${taken.rows.length} ${taken.rows.length === 1 ? "scan" : "scans"}`;
  await refresh();
  await load(false);
}

const across = () => {
  const top = cells[0]?.button.offsetTop;
  return Math.max(1, cells.findIndex((cell) => cell.button.offsetTop !== top));
};
const all = () => { cells.forEach((cell) => selected.add(cell.row)); showChosen(); };
const none = () => { selected.clear(); showChosen(); };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") || event.target.matches("input:not([type=radio])")) return;
  const inGrid = element("grid").contains(document.activeElement);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(), ArrowUp: -across() };
  if (inGrid && steps[event.key]) {
    const before = last;
    focus(last + steps[event.key]);
    if (event.shiftKey) { selected.add(cells[before].row); selected.add(cells[last].row); showChosen(); }
  } else if (inGrid && event.key === " ") select(last, event.shiftKey);
  else if (inGrid && event.key === "Enter") told(decide)("label", label);
  else if (event.key === "a") all();
  else if (event.key === "Escape") none();
  else if (event.key === "n") told(decide)("not a scan");
  else if (event.key === "?") told(decide)("unsure");
  else if (event.key === "u") told(undo)();
  else if (/^[1-9]$/.test(event.key) && status?.classes[event.key - 1]) told(decide)("label", status.classes[event.key - 1]);
  else return;
  event.preventDefault();
});

element("all").addEventListener("click", all);
element("none").addEventListener("click", none);
element("more").addEventListener("click", told(() => load(true)));
element("undo").addEventListener("click", told(undo));
for (const button of document.querySelectorAll("[data-state]")) button.addEventListener("click", told(() => decide(button.dataset.state)));
for (const choice of document.querySelectorAll("input[name=which]")) choice.addEventListener("change", told(() => load(false)));
element("who").addEventListener("click", told(async () => { await askWho(true); await refresh(); await load(false); }));

await told(async () => {
  await askWho();
  await refresh();
  if (label) await load(false);
  else element("told").textContent = "No class yet: add one on the page Label.";
})();
