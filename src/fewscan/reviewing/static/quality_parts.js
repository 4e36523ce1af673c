// The page of data quality as its parts know it: which one is open, and what they do with it. `quality.js` brings the parts.

import { ask, element, inTurn, reviewer, showStanding, takeBackLast, takenBack } from "./asking.js";

export const page = { status: null, part: "pairs", parts: {}, refresh: inTurn(refresh), open, undo, saved };

function saved(text) {
  element("saved").textContent = text;
}

async function refresh() {
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
  for (const name of Object.keys(page.parts)) element(name).hidden = name !== part;
  await page.parts[part].show(...more);
}

// As on every other page: what this person did last.
async function undo() {
  const taken = await takeBackLast();
  saved(takenBack(taken, `scan ${taken.rows.join(", ")}`));
  await page.refresh();
  await page.parts[page.part].show();
}
