// Labels that a run's held-out predictions contradict: confirmed by one key, or corrected by one.

import { Refused, ask, element, givesKeys, made, percent, reviewer, sendUntilSaved, told, toldIfRefused } from "./asking.js";
import { Background } from "./background.js";
import { OneByOne } from "./one_by_one.js";
import { Viewer, fetched } from "./viewer.js";
import { page } from "./quality_parts.js";

const viewer = new Viewer(element("doubted"), () => {});
const making = new Background("/api/making", follow);
let waits = null; // for what is being made

const run = () => element("doubt-run").value;
const isThis = (now) => now.what === "suspects" && now.run === run();
const list = new OneByOne("scans", (part) => ask(`/api/runs/${encodeURIComponent(run())}/suspects`, part), element("doubt"));

async function show() {
  list.show(undefined); // what is on the screen may be another run's
  const answer = await ask("/api/runs");
  const before = run();
  element("doubt-run").replaceChildren(...answer.runs.map((one) => made("option", { value: one.name }, `${one.name} (${one.method})`)));
  if (answer.runs.some((one) => one.name === before)) element("doubt-run").value = before;
  for (const id of ["doubt-run-said", "doubt-run", "check"]) element(id).hidden = answer.runs.length === 0;
  if (answer.runs.length === 0) {
    element("doubts-told").textContent = "No run of this dataset is finished yet: train one on the Model page.";
    element("doubt").hidden = true;
    return;
  }
  await making.look();
  await showList();
}

const showList = () => list.open(() => list.load(), async (isLast, answer) => {
  if (answer.checked === null) {
    element("doubts-words").textContent = "";
    if (waits === null) element("doubts-told").textContent = "This run's labels are not checked yet. A check trains it five more times, each time holding out a different fifth of the labels.";
    element("doubt").hidden = true;
    return;
  }
  element("doubts-words").textContent = answer.words.join(" · ");
  if (waits === null) element("doubts-told").textContent = `${answer.total} still in doubt, ${answer.answered} answered; checked ${answer.checked.slice(0, 16).replace("T", " ")} UTC`;
  await look(isLast);
});

async function look(isLast) {
  const one = list.now;
  element("doubt").hidden = one === undefined;
  if (!one) return;
  element("doubted-said").textContent = `scan ${one.row} · ${one.name}${one.copies.length ? ` · and its copies ${one.copies.join(", ")}` : ""}`;
  element("doubt-said").replaceChildren("Labeled ", made("b", {}, one.label), ` (${percent(one.label_probability)}${one.given_for ? `, given for a whole ${one.given_for}` : ""}), predicted `, made("b", {}, one.predicted), ` (${percent(one.predicted_probability)}).`);
  element("keep-said").textContent = `Confirm ${one.label}`;
  element("doubt-classes").replaceChildren(...page.status.classes.map((name, at) => {
    const button = made("button", { type: "button" }, made("kbd", {}, at < 9 ? String(at + 1) : "·"), made("span", {}, name));
    button.addEventListener("click", told(() => settle("label", name)));
    return button;
  }));
  const image = await fetched(one.row);
  if (!isLast()) return;
  viewer.show(image, false);
  list.show(one);
}

const settle = (state, label = null) => list.answer(async (one) => {
  await sendUntilSaved(`/api/runs/${encodeURIComponent(run())}/suspects/settle`, { rows: [one.row, ...one.copies], state, label, reviewer: reviewer() }, (text) => { element("trouble").textContent = text; });
  page.saved(`Saved: ${label ?? state}, scan ${one.row}`);
}, async () => { await showList(); await page.refresh(); });

// What is being made is asked for until it has ended, also where it was begun on another page.
async function follow(now) {
  const here = isThis(now) && making.running;
  element("check").hidden = here;
  element("check-cancel").hidden = !here;
  element("doubts-progress").hidden = !here;
  if (here) {
    element("doubts-progress").max = now.total || 1;
    element("doubts-progress").value = now.done;
    element("doubts-told").textContent = `Checking: ${now.done} of ${now.total} trainings done. The check continues while you label or close this page.`;
    waits ??= setInterval(toldIfRefused(() => making.look()), 2000);
    return;
  }
  if (waits !== null) {
    clearInterval(waits);
    waits = null;
    if (now.phase === "failed") throw new Refused(0, now.words);
    await showList();
  }
}

const next = () => list.go(() => list.next(), look);
const undo = () => list.alone(page.undo);

function key(name) {
  if (/^[1-9]$/.test(name)) return page.status.classes[name - 1] ? () => settle("label", page.status.classes[name - 1]) : undefined;
  const keep = () => (list.shown ? settle("label", list.shown.label) : undefined);
  return { Enter: keep, "?": () => settle("unsure"), n: () => settle("not a scan"), u: undo, ArrowRight: next }[name];
}

element("keep").addEventListener("click", told(() => key("Enter")()));
element("doubt-after").addEventListener("click", told(next));
element("doubt-undo").addEventListener("click", told(undo));
element("doubt-run").addEventListener("change", told(show));
givesKeys(element("doubt-run"), () => element("doubts"));
element("check").addEventListener("click", told(() => making.begin({ run: run(), what: "suspects" }, isThis)));
element("check-cancel").addEventListener("click", told(() => making.cancel()));
for (const button of document.querySelectorAll("[data-doubt]")) button.addEventListener("click", told(() => settle(button.dataset.doubt)));

export const doubts = { show, key };
