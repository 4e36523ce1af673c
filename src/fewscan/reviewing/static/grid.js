// Many scans of one class: selected by click and keys, and confirmed or moved together.

import { ask, askWho, counted, element, givesKeys, inTurn, made, percent, reviewer, showStanding, told } from "./asking.js";
import { Cells, actOn, saveFor, showChosen, showMoves, takeBack } from "./cells.js";

const AT_ONCE = 60;

let status = null;
let label = null;
let loads = 0;
const cells = new Cells(element("grid"), showChosen);

const which = () => document.querySelector("input[name=which]:checked").value;

async function load(more) {
  if (!label) { element("told").textContent = status ? "No classes yet: add one on the Label page." : ""; return; }
  const own = ++loads;
  const found = await ask("/api/grid", { label, reviewer: reviewer(), which: which(), start: more ? cells.length : 0, count: AT_ONCE });
  // Another class or choice was asked for meanwhile: its answer may be here already.
  if (own !== loads) return;
  const chosen = cells.rows; // meanwhile
  if (!more) cells.clear();
  for (const one of found.scans) {
    const share = one.probability === null ? "" : percent(one.probability);
    cells.add(one.row, one.name, share, `scan ${one.row} ${share}`);
  }
  cells.choose(chosen);
  element("more").hidden = cells.length >= found.total;
  const words = which() === "called" ? `without an answer, predicted as ${label}` : `labeled ${label}`;
  element("told").textContent = found.total || status.model.labels ? `${counted(found.total)} ${words}.` : "The model starts once scans of two classes have labels: give some on the Label page.";
}

const refresh = inTurn(async () => {
  status = await ask("/api/status", { reviewer: reviewer() });
  showStanding(status);
  label ??= status.classes[0];
  element("labels").replaceChildren(...status.classes.map((name) => {
    const button = made("button", { type: "button", "aria-pressed": String(name === label) }, name);
    button.addEventListener("click", told(async () => { label = name; leave(); await refresh(); await load(false); }));
    return button;
  }));
  showMoves(status.classes, label, decide);
});

// What is shown, and what is on its way, is of another class or choice.
function leave() {
  loads += 1;
  cells.clear();
}

async function decide(state, name = null) {
  if (!await saveFor(cells, state, name)) return;
  await refresh();
  await load(false);
}

async function undo() {
  await takeBack();
  await refresh();
  await load(false);
}

actOn(cells, { classes: () => status?.classes ?? [], decide, undo, enter: () => told(decide)("label", label) });
element("more").addEventListener("click", told(() => load(true)));
for (const choice of document.querySelectorAll("input[name=which]")) {
  choice.addEventListener("change", told(() => { leave(); return load(false); }));
  givesKeys(choice, () => element("grid"));
}
element("who").addEventListener("click", told(async () => { await askWho(true); await refresh(); await load(false); }));

await told(async () => {
  await askWho();
  await refresh();
  await load(false);
})();
