// Data quality: copies to judge, labels to settle, images that were set aside.

import { ask, askWho, element, every, givesKeys, inTurn, reviewer, showStanding, takeBackLast, takenBack, told } from "./asking.js";
import { pairs } from "./pairs.js";
import { conflicts } from "./conflicts.js";
import { doubts } from "./doubts.js";
import { aside } from "./aside.js";

const PARTS = { pairs, conflicts, doubts, aside };

const refresh = inTurn(refreshNow);

export const page = { status: null, part: "pairs", refresh, open, undo, saved };

function saved(text) {
  element("saved").textContent = text;
}

async function refreshNow() {
  const [status, found] = await Promise.all([ask("/api/status", { reviewer: reviewer() }), ask("/api/quality")]);
  page.status = status;
  showStanding(status);
  element("pairs-left").textContent = found.pairs.open ? found.pairs.open.toLocaleString("en") : "";
  element("conflicts-left").textContent = found.conflicts ? found.conflicts.toLocaleString("en") : "";
  element("aside-left").textContent = found.aside.aside ? found.aside.aside.toLocaleString("en") : "";
  element("audit-page").hidden = !found.audited;
}

async function open(part, ...more) {
  page.part = part;
  document.querySelector(`input[name=part][value=${part}]`).checked = true;
  for (const name of Object.keys(PARTS)) element(name).hidden = name !== part;
  await PARTS[part].show(...more);
}

// As on every other page: what this person did last.
async function undo() {
  const taken = await takeBackLast();
  saved(takenBack(taken, `scan ${taken.rows.join(", ")}`));
  await refresh();
  await PARTS[page.part].show();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("select, input:not([type=radio])")) return;
  if (event.target.matches("input, a, button") && (event.key === "Enter" || event.key === " " || (event.target.matches("input") && event.key.startsWith("Arrow")))) return;
  const act = PARTS[page.part].key(event.key);
  if (!act || event.repeat) return;
  event.preventDefault();
  told(act)();
});
for (const choice of document.querySelectorAll("input[name=part]")) {
  choice.addEventListener("change", told(() => open(choice.value)));
  givesKeys(choice, () => element(choice.value));
}
element("who").addEventListener("click", told(async () => { await askWho(true); await refresh(); await open(page.part); }));

await told(async () => {
  await askWho();
  await refresh();
  await open(page.part); // which may have been chosen meanwhile
})();
every(5000, async () => { if (!document.hidden && reviewer()) await refresh().catch(() => {}); });
