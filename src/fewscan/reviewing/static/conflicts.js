// Copies with different labels: at least one is wrong; one key says what goes for all of them.

import { ask, counted, element, made, reviewer, sendUntilSaved, told } from "./asking.js";
import { OneByOne } from "./one_by_one.js";
import { laid, undone, wordsOf } from "./beside.js";
import { Viewer, fetched } from "./viewer.js";
import { page } from "./quality_parts.js";

const LARGE = 8; // so many of a set come from their files, the others as small copies
const list = new OneByOne("sets", (part) => ask("/api/conflicts", part), element("conflict"));

const show = () => list.open(() => list.load(), async (isLast, answer) => {
  element("conflicts-told").textContent = answer.total === 0 ? "No copies have different labels." :
    `${counted(answer.total, "set")} of copies with different labels. No training uses them until they are settled.`;
  await look(isLast);
});

async function look(isLast) {
  const set = list.now;
  element("conflict").hidden = set === undefined;
  if (!set) return;
  const large = set.scans.slice(0, LARGE).map(fromFile);
  element("conflict-scans").replaceChildren(...set.scans.map((one, at) => made("li", {}, made("figure", {},
    large[at]?.stage ?? laid(made("img", { src: `/api/scans/${one.row}/thumbnail.png`, alt: `scan ${one.row}`, loading: "lazy" }), one.lying),
    made("figcaption", {}, made("b", {}, one.said ?? "no label"), made("br"), `scan ${one.row}`, made("br"), ...(one.lying.words.length ? [wordsOf(one.lying), made("br")] : []), one.name)))));
  element("conflict-moves").replaceChildren(...page.status.classes.map((name, at) => {
    const button = made("button", { type: "button" }, made("kbd", {}, at < 9 ? String(at + 1) : "·"), ` ${name}`);
    button.addEventListener("click", told(() => settle("label", name)));
    return button;
  }));
  await Promise.all(large.map((one) => one.read));
  if (isLast()) list.show(set);
}

function fromFile(one) {
  const canvas = made("canvas", { role: "img", "aria-label": `Scan ${one.row}, ${one.name}` });
  const stage = made("div", { class: "stage" }, canvas);
  const viewer = new Viewer(canvas, () => {});
  return { stage, read: told(async () => viewer.show(undone(await fetched(one.row), one.lying), false))() };
}

const settle = (state, label = null) => list.answer(async (set) => {
  const rows = set.scans.map((one) => one.row);
  await sendUntilSaved("/api/conflicts/settle", { rows, state, label, reviewer: reviewer() }, (text) => { element("trouble").textContent = text; });
  page.saved(`Saved: ${label ?? state}, ${rows.length} copies`);
}, async () => { await page.refresh(); await show(); });

const next = () => list.go(() => list.next(), look);
const undo = () => list.alone(page.undo);
const asPairs = async () => { if (list.now) await page.open("pairs", list.now.scans[0].row); };

function key(name) {
  if (/^[1-9]$/.test(name)) return page.status.classes[name - 1] ? () => settle("label", page.status.classes[name - 1]) : undefined;
  return { "?": () => settle("unsure"), n: () => settle("not a scan"), u: undo, d: asPairs, ArrowRight: next }[name];
}

element("conflict-after").addEventListener("click", told(next));
element("conflict-pairs").addEventListener("click", told(asPairs));
element("conflict-undo").addEventListener("click", told(undo));
for (const button of document.querySelectorAll("[data-settle]")) button.addEventListener("click", told(() => settle(button.dataset.settle)));

export const conflicts = { show, key };
