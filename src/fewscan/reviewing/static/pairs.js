// The audit's pairs, one at a time: both scans from their files, one laid over the other, and what is said of them.

import { ask, counted, element, givesKeys, made, reviewer, send, sendInTurn, told } from "./asking.js";
import { OneByOne } from "./one_by_one.js";
import { laid, undone, wordsOf } from "./beside.js";
import { Viewer, fetched } from "./viewer.js";
import { page } from "./quality_parts.js";

const viewers = ["first", "second"].map((id) => new Viewer(element(id), () => {}));
let of = null; // a row whose set of copies is looked at
const list = new OneByOne("pairs", (part) => {
  const query = { reviewer: reviewer(), which: element("which-pairs").value, ...part };
  return ask("/api/pairs", of === null ? query : { ...query, of });
}, element("pair"));
const judged = []; // of what was said here, to be taken back, the rows of its pairs: of one, or of all of a scan

const KINDS = { bytes: "the same file twice", pixels: "the same pixels in two files", near: "near-duplicates", head: "probably two slices of the same head" };

function caption(side) {
  const lies = side.lying.words.length ? [made("br"), made("b", {}, wordsOf(side.lying))] : [];
  return [made("b", {}, side.said ?? "no label shown"), ` · scan ${side.row} · ${side.width_px} x ${side.height_px} px`, ...lies, made("br"), side.name];
}

// Those of the set of a row, or all of them; place: which of them first, where it is not the one at the same place.
async function show(row = null, place = null) {
  of = row;
  await list.open(() => {
    if (place !== null) list.place = place;
    return list.load();
  }, showList);
}

async function showList(isLast, answer) {
  element("all-pairs").hidden = of === null;
  const said = of === null ? counted(answer.total, "pair") : `${counted(answer.total, "pair")} in the set of scan ${of}`;
  element("pairs-told").textContent = answer.total === 0 ? "No pairs." : `${said} · ${answer.counts.confirmed} confirmed, ${answer.counts.dissolved} dissolved`;
  await look(isLast);
}

async function look(isLast) {
  const pair = list.now;
  for (const viewer of viewers) viewer.clear();
  element("pair").hidden = pair === undefined;
  if (!pair) return;
  element("first-said").replaceChildren(...caption(pair.first));
  element("second-said").replaceChildren(...caption(pair.second));
  element("first").setAttribute("aria-label", `Scan ${pair.first.row}, ${pair.first.name}`);
  element("second").setAttribute("aria-label", `Scan ${pair.second.row}, ${pair.second.name}`);
  const alike = pair.kind === "near" ? `, similarity ${pair.similarity.toFixed(3)}` : "";
  const said = pair.verdict === null ? "" : ` ${pair.verdict === "apart" ? "Dissolved" : "Confirmed"} by ${pair.who ?? "unknown"}, ${pair.time.slice(0, 10)}.`;
  element("pair-said").textContent = `${(list.place + 1).toLocaleString("en")} of ${list.total.toLocaleString("en")}: ${KINDS[pair.kind]}${alike}.${said}`;
  for (const id of ["confirm", "dissolve"]) element(id).disabled = certain(pair);
  element("reopen").disabled = judged.length === 0 && pair.verdict === null;
  showSet(pair);
  element("overlay").hidden = true;
  element("overlay-none").hidden = false;
  element("overlay-none").textContent = "Overlaying the scans";
  element("differ-said").textContent = "";
  const path = `/api/pairs/${pair.first.row}/${pair.second.row}`;
  const [one, other, differs] = await Promise.all([fetched(pair.first.row), fetched(pair.second.row), ask(path)]);
  if (!isLast()) return;
  viewers[0].show(one, false);
  viewers[1].show(undone(other, pair.second.lying), false);
  list.show(pair);
  if (differs.difference === null) {
    element("overlay-none").textContent = "Too different to overlay";
    return;
  }
  laid(element("overlay"), { ...pair.second.lying, inverted: false }).src = `${path}/overlay.png`;
  element("overlay").alt = `Scan ${pair.first.row} laid over scan ${pair.second.row}`;
  element("overlay").hidden = false;
  element("overlay-none").hidden = true;
  const words = differs.words.length ? `The second is the first, ${differs.words.join(", ")}.` : "The second is not noticeably turned, resized or changed in contrast.";
  element("differ-said").textContent = `${words} The remaining difference is ${differs.difference.toFixed(1)} of 255 gray levels on average.`;
}

function showSet(pair) {
  const { copies } = pair;
  if (copies.length < 3) { element("pair-set").replaceChildren(); return; }
  const items = copies.map(({ row, lying }) => {
    const out = made("button", { type: "button", class: "quiet" }, "Not a copy");
    out.setAttribute("aria-label", `Not a copy of the others: take scan ${row} out of the set`);
    out.addEventListener("click", told(() => takeOut(row)));
    return made("li", {}, made("figure", {}, laid(made("img", { src: `/api/scans/${row}/thumbnail.png`, alt: `scan ${row}`, loading: "lazy" }), lying), made("figcaption", {}, [`scan ${row}`, ...lying.words].join(", "))), out);
  });
  const only = made("button", { type: "button", class: "quiet" }, "Show only the pairs of this set");
  only.addEventListener("click", told(() => show(copies[0].row)));
  element("pair-set").replaceChildren(made("h2", {}, `Part of a set of ${copies.length} copies`), only, made("ul", { class: "strip" }, ...items));
}

const rowsOf = (pair) => [pair.first.row, pair.second.row];

async function enter(verdict, [row_a, row_b]) {
  const said = { row_a, row_b, verdict, reviewer: reviewer() };
  const answer = await sendInTurn(() => send("/api/pairs/decisions", said));
  const words = { apart: "Dissolved", together: "Confirmed", open: "Undone" };
  page.saved(`Saved. ${words[verdict]}: ${answer.words}.`);
}

const goOn = async () => { await page.refresh(); await show(of); };

async function takeOut(row) {
  const said = { row, verdict: "apart", reviewer: reviewer() };
  const answer = await list.alone(() => sendInTurn(() => send("/api/pairs/scan", said)));
  judged.push(answer.pairs);
  page.saved(`Saved. Scan ${row} is out of its set: ${answer.words} dissolved.`);
  await goOn();
}

// What was said last, or where nothing was what stands here: what is being saved is among it, and is taken back after that.
async function takeBack() {
  const here = list.shown?.verdict ? [rowsOf(list.shown)] : undefined;
  const pairs = judged.pop() ?? here;
  if (!pairs) return;
  try {
    await list.alone(async () => { for (const pair of pairs) await enter("open", pair); });
  } catch (refused) {
    if (pairs !== here) judged.push(pairs);
    throw refused;
  }
  if (pairs.length > 1) page.saved(`Saved. Undone: ${counted(pairs.length, "pair")}.`);
  await goOn();
}

// Of what is the same file or the same pixels there is nothing to say.
const certain = (pair) => pair?.kind === "bytes" || pair?.kind === "pixels";
const judge = async (verdict) => { if (!certain(list.shown)) await list.answer((pair) => say(verdict, pair), goOn); };

async function say(verdict, pair) {
  const pairs = [rowsOf(pair)];
  judged.push(pairs);
  try {
    await enter(verdict, pairs[0]);
  } catch (refused) {
    if (judged.includes(pairs)) judged.splice(judged.indexOf(pairs), 1);
    throw refused;
  }
}

const step = (by) => () => list.go(() => list.step(by), look);
const both = (act) => async () => { for (const viewer of viewers) act(viewer); };
const KEYS = {
  c: () => judge("together"), d: () => judge("apart"), u: takeBack, ArrowRight: step(1), ArrowLeft: step(-1),
  "[": both((one) => one.adjust(-0.05, 0)), "]": both((one) => one.adjust(0.05, 0)), "{": both((one) => one.adjust(0, -0.1)), "}": both((one) => one.adjust(0, 0.1)),
  "+": both((one) => one.scale(1.25)), "-": both((one) => one.scale(0.8)), 0: both((one) => one.reset()),
};
for (const [id, key] of [["confirm", "c"], ["dissolve", "d"], ["reopen", "u"], ["pair-before", "ArrowLeft"], ["pair-after", "ArrowRight"]]) {
  element(id).addEventListener("click", () => told(KEYS[key])());
}
element("which-pairs").addEventListener("change", told(() => show(null, 0)));
givesKeys(element("which-pairs"), () => element("pairs"));
element("all-pairs").addEventListener("click", told(() => show()));

export const pairs = { show, key: (name) => KEYS[name] };
