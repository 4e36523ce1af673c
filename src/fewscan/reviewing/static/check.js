// Labels of a run that were drawn at random: each scan is answered without them, and what the answers show is said.

import { Refused, ask, askWho, counted, element, givesKeys, inTurn, made, once, reviewer, send, sendUntilSaved, showStanding, takeBackLast, takenBack, told } from "./asking.js";
import { OneByOne } from "./one_by_one.js";
import { Slices, heedWheel } from "./slices.js";
import { viewerWithTools } from "./tools.js";
import { fetched } from "./viewer.js";

const AHEAD = 3;
const run = new URLSearchParams(location.search).get("run") ?? "";
const address = `/api/runs/${encodeURIComponent(run)}/check`;
const { viewer, keys } = viewerWithTools();
let leastScore = null; // of the labels that were chosen, while that can be chosen
const wanted = () => ({ at_most: Number(element("error").value), ...(leastScore !== null && { least_score: leastScore }) });
const list = new OneByOne("scans", (part) => ask(address, { ...part, ...wanted() }), element("check"));
const images = new Map(); // row -> promise of its levels
const slices = new Slices(image, (shown) => viewer.show(shown, true));

let status = null;
let classes = []; // [key, name] of those that the run knows, by the keys that they have on the other pages

function image(row) {
  if (!images.has(row)) {
    images.set(row, fetched(row));
    images.get(row).catch(() => images.delete(row));
    while (images.size > 4 * AHEAD) images.delete(images.keys().next().value);
  }
  return images.get(row);
}

const prove = (count) => (count === 1 ? "proves right" : "prove right");
const share = (value, digits = 1) => `${Number((100 * value).toFixed(digits))}\u00a0%`;

// Where answers show too little: what can be done on this page.
const REMEDY = "Label more scans, correct the labels in doubt on the Quality page, train again on the Model page, and check the new run's labels. Which share may be wrong depends on what the labels are for: decide that before you check";

function words(check) {
  const these = `of these ${counted(check.labels, "label")}`;
  const goal = `that at most ${share(check.at_most)} ${these} are wrong`;
  if (check.checked === 0) return check.more === null ? "" : `Nothing is checked yet. If the next ${counted(check.more, "label")} ${prove(check.more)}, this shows ${goal}.`;
  const found = `Checked ${check.checked.toLocaleString("en")}, ${check.wrong.toLocaleString("en")} wrong. At most ${share(check.most_wrong_share)} ${these} are wrong (95\u00a0% confidence).`;
  if (check.shown) return `${found} You may stop here.`;
  if (check.more === null) return `${found} Too many are wrong to show at most ${share(check.at_most)}. ${REMEDY}.`;
  const doubtful = check.too_many ? ` So far a larger share is wrong, so more answers will hardly show it. ${REMEDY}.` : "";
  return `${found} If the next ${check.more.toLocaleString("en")} ${prove(check.more)}, this shows at most ${share(check.at_most)}.${doubtful}`;
}

// Few of all labels can be wrong, and many of one class: said with the verdict, since before it would tell what the run said.
function byClass(check) {
  if (!check.shown && !check.too_many && check.more !== null) return "";
  const told = Object.entries(check.by_class).filter(([, one]) => one.checked > 0).map(([name, one]) => `${name} ${one.wrong} of ${one.checked}`);
  return `Wrong among those checked, by the run's label: ${told.join(", ")}.`;
}

function showCheck(check) {
  element("shown").textContent = words(check);
  element("which").textContent = `This checks the ${counted(check.labels, "label")} with a score of at least ${Number(check.least_score.toPrecision(3))}, of ${counted(check.of_scans, "scan")} that the run ${run} labeled. The run expects ${share(check.expected_wrong)} of these labels to be wrong.`;
  element("by-class").textContent = byClass(check);
  const choices = [check, ...check.others].sort((one, other) => one.labels - other.labels);
  element("choice").hidden = check.others.length === 0;
  element("labels").replaceChildren(...choices.map((one) => made("option", { value: String(one.least_score), selected: one === check }, `${counted(one.labels, "label")}, ${share(one.expected_wrong)} expected to be wrong`)));
  element("write").hidden = !check.shown;
  element("write").textContent = check.written ? "Write again" : "Write labels.checked.csv";
  element("write").classList.toggle("main", !check.written);
  element("download").hidden = !check.written;
  element("download").href = `/api/runs/${encodeURIComponent(run)}/files/checked`;
  const known = [...status.classes, ...check.classes.filter((name) => !status.classes.includes(name))];
  classes = known.map((name, at) => [String(at + 1), name]).filter(([, name]) => check.classes.includes(name));
  element("unknown").hidden = classes.length === known.length;
  element("classes").replaceChildren(...classes.map(([key, name]) => {
    const button = made("button", { type: "button" }, made("kbd", {}, key.length === 1 ? key : "·"), made("span", {}, name));
    button.addEventListener("click", told(() => answer("label", name)));
    return button;
  }));
}

const refresh = inTurn(async () => {
  status = await ask("/api/status", { reviewer: reviewer() });
  showStanding(status);
});

function showNothing(text) {
  list.show(undefined);
  viewer.clear();
  slices.open([], undefined);
  element("waiting").hidden = false;
  element("waiting").textContent = text;
  element("scan-said").textContent = "";
}

const show = () => list.open(load, look);

async function load(isLast) {
  if (!isLast()) return undefined;
  element("anew").hidden = true;
  try {
    return await list.load();
  } catch (refused) {
    if (!isLast()) return undefined;
    showNothing("No label can be checked");
    for (const id of ["shown", "which", "by-class"]) element(id).textContent = "";
    for (const id of ["write", "download"]) element(id).hidden = true;
    element("classes").replaceChildren();
    element("anew").hidden = refused.status !== 409; // answers about other labels
    throw refused;
  }
}

async function look(isLast, check) {
  showCheck(check);
  const one = list.now;
  if (!one) return showNothing("All labels are checked");
  element("waiting").hidden = false;
  element("waiting").textContent = "Opening";
  const shown = await image(one.row);
  if (!isLast()) return;
  viewer.show(shown, false);
  slices.open(one.slices, one.row);
  element("waiting").hidden = true;
  // Not by its file: folders are often called as classes are.
  element("canvas").setAttribute("aria-label", `Scan ${one.row}`);
  element("scan-said").textContent = `scan ${one.row}`;
  list.show(one);
  list.part.slice(1, AHEAD).forEach((next) => image(next.row).catch(() => {}));
}

async function save(one, state, label) {
  element("saved").textContent = "";
  const said = { rows: [one.row], state, label, reviewer: reviewer(), ...wanted() };
  try {
    await sendUntilSaved(`${address}/answers`, said, (text) => { element("trouble").textContent = text; });
  } catch (refused) {
    throw new Refused(refused.status, `Not saved. ${refused.message}`);
  }
  element("saved").textContent = `Saved: ${label ?? state}, scan ${one.row}`;
}

async function answer(state, label = null) {
  try {
    await list.answer((one) => save(one, state, label), async () => { await show(); await refresh(); });
  } catch (refused) {
    if (refused.status === 409) await show(); // another page was faster, or the labels are others now
    throw refused;
  }
}

async function undo() {
  const taken = await list.alone(takeBackLast);
  element("saved").textContent = takenBack(taken, `scan ${taken.rows.join(", ")}`);
  await show();
  await refresh();
}

const KEYS = { "?": () => answer("unsure"), n: () => answer("not a scan"), u: undo, ArrowUp: () => slices.step(-1), ArrowDown: () => slices.step(1), ...keys };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("select, input:not([type=range])") || (event.target.matches("input") && event.key.startsWith("Arrow"))) return;
  const named = classes.find(([key]) => key === event.key);
  const act = named ? () => answer("label", named[1]) : KEYS[event.key];
  if (!act || (event.repeat && (named || ["?", "n", "u"].includes(event.key)))) return;
  event.preventDefault();
  told(act)();
});
heedWheel(viewer, slices);
for (const button of document.querySelectorAll("[data-state]")) button.addEventListener("click", told(() => answer(button.dataset.state)));
element("undo").addEventListener("click", told(undo));
element("error").addEventListener("change", told(async () => { leastScore = null; await show(); }));
element("labels").addEventListener("change", told(async () => { leastScore = Number(element("labels").value); await show(); }));
for (const id of ["error", "labels"]) givesKeys(element(id), () => element("canvas"));
element("write").addEventListener("click", told(once(async () => {
  showCheck(await send(`${address}/table`, wanted()));
  element("saved").textContent = "Written: labels.checked.csv, with the readers' answers and the other labels of this check accepted";
})));
element("anew").addEventListener("click", told(once(async () => { await send(`${address}/anew`, wanted()); await show(); })));
element("who").addEventListener("click", told(async () => { await askWho(true); await refresh(); await show(); }));

await told(async () => {
  await askWho();
  await refresh();
  await show();
  element("canvas").focus({ preventScroll: true });
})();
