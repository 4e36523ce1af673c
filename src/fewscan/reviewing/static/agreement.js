// How readers agree, and on which scans they differ.

import { ask, askWho, counted, element, made, percent, reviewer, showStanding } from "./asking.js";

function kappa(pair, least) {
  if (pair.kappa === null) return pair.both < least ? `too few scans (under ${least})` : "none: only one answer given";
  const ends = pair.low === null ? "" : ` [${pair.low.toFixed(2)}, ${pair.high.toFixed(2)}]`;
  return pair.kappa.toFixed(2) + ends;
}

async function show() {
  await askWho();
  element("who").addEventListener("click", () => askWho(true));
  showStanding(await ask("/api/status", { reviewer: reviewer() }));
  const found = await ask("/api/agreement");
  element("pairs").replaceChildren(...found.pairs.map((pair) => made("tr", {},
    made("th", { scope: "row" }, `${pair.one} and ${pair.other}`), made("td", {}, String(pair.both)),
    made("td", {}, `${pair.same} (${percent(pair.same / pair.both)})`), made("td", {}, kappa(pair, found.least_scans)))));
  element("figures").hidden = found.pairs.length === 0;
  element("alone").hidden = found.pairs.length > 0;
  element("settled").textContent = found.disputed.length === 0 ? "No disagreements." :
    `Readers disagree on ${counted(found.disputed.length)}: no label until they agree or somebody settles it. To do so, choose To settle on the Label page.`;
  element("disputed").replaceChildren(...found.disputed.map((row) => made("li", {}, made("figure", {},
    made("img", { src: `/api/scans/${row}/thumbnail.png`, alt: `scan ${row}`, loading: "lazy" }), made("figcaption", {}, `scan ${row}`)))));
}

show().catch((refused) => { element("trouble").textContent = refused.message; });
