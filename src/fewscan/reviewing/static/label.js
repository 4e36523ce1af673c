// The view of one scan: it is looked at, answered, and the next one comes.

import { Refused, ask, askWho, element, every, forecast, inTurn, made, once, percent, reviewer, send, sendUntilSaved, showStanding, takeBackLast, takenBack } from "./asking.js";
import { fetched } from "./viewer.js";
import { Slices, heedWheel } from "./slices.js";
import { viewerWithTools } from "./tools.js";
import { showScan } from "./about.js";
import { Order } from "./order.js";

const IMAGES = 12; // that are kept
const { viewer, keys } = viewerWithTools();
const slices = new Slices(image, (shown) => {
  viewer.show(shown, true);
  element("heat").setAttribute("aria-pressed", "false");
});

let status = null;
let scan = null; // what is known of it
let ready = false; // whether it is on the screen, and may be answered
const saving = []; // to which scans, by the number of the move, an answer is on its way: until then no other is given
let moves = 0; // to other scans: where one moves to last is what comes to the screen
const images = new Map(); // row -> promise of its levels

const reading = () => document.querySelector("input[name=reading]:checked").value;

const order = new Order(async (count) => (await ask("/api/next", { reviewer: reviewer(), reading: reading(), count })).scans,
  (rows) => rows.forEach((row) => image(row).catch(() => {})));

function image(row) {
  if (!images.has(row)) {
    images.set(row, fetched(row));
    images.get(row).catch(() => images.delete(row));
    while (images.size > IMAGES) images.delete(images.keys().next().value);
  }
  return images.get(row);
}

function trouble(text = "") {
  element("trouble").textContent = text;
}

const refresh = inTurn(async () => {
  status = await ask("/api/status", { reviewer: reviewer() });
  showStanding(status);
  element("again").textContent = status.to_read_again || "";
  element("differ").textContent = status.disputed || "";
  showClasses();
  const model = status.model;
  element("model").textContent = model.phase === "failed" ? `No model: ${model.words}` :
    model.labels ? `Model: logistic regression on ${model.words}, trained on ${model.labels.toLocaleString("en")} labels in ${model.seconds.toFixed(2)} s. ${forecast(model)}` :
    model.phase === "learning" ? "The model starts once scans of two classes have labels." : "";
  element("unaudited").hidden = status.audited;
});

let shownClasses = "";

function showClasses() {
  // Who goes by the keyboard keeps the focus: nothing is replaced by the same, and what is replaced has it again.
  const content = JSON.stringify([status.classes, scan?.model, scan?.own, scan?.row]);
  if (content === shownClasses) return;
  shownClasses = content;
  const focused = [...element("classes").children].indexOf(document.activeElement);
  const shares = new Map((scan?.model ?? []).map((one) => [one.label, one.probability]));
  const buttons = status.classes.map((label, at) => {
    const button = made("button", { type: "button" }, made("kbd", {}, at < 9 ? String(at + 1) : "·"), made("span", {}, label));
    if (shares.has(label)) {
      const share = shares.get(label);
      button.append(made("span", { class: "share" }, made("meter", { min: "0", max: "1", value: String(share), "aria-hidden": "true" }), percent(share)));
    }
    button.classList.toggle("own", scan?.own === label);
    button.addEventListener("click", () => told(decide)("label", label));
    return button;
  });
  if (buttons.length === 0) buttons.push(made("p", { class: "muted" }, "No classes yet: add the first one with New class."));
  element("classes").replaceChildren(...buttons);
  if (focused >= 0) buttons[Math.min(focused, buttons.length - 1)].focus();
  for (const button of document.querySelectorAll("[data-state]")) button.classList.toggle("own", scan?.own === button.dataset.state);
}

const opening = () => {
  element("waiting").hidden = false;
  element("waiting").textContent = "Opening";
};

// To what was shown after this one, and then to new ones.
async function forward() {
  if (!order.isLast) return open(order.place + 1);
  moves += 1;
  const mine = moves;
  while (!order.hasNew) {
    const filled = await order.fill();
    if (mine !== moves) return;
    if (filled) break;
  }
  const [next] = order.coming;
  // The only one that is left is the one that is looked at: it stays.
  if (!next) return order.queue.length ? open(order.place, order.queue[0].why) : finished();
  await open(order.add(next.row), next.why);
  await order.fill();
}

async function backward() {
  if (order.place > 0) await open(order.place - 1);
}

function finished() {
  scan = null;
  ready = false;
  viewer.clear();
  element("heat").setAttribute("aria-pressed", "false");
  const said = { first: "No scans left to label. Train on the Model page, or see your answers on the Grid page.", second: "No scans of other readers left to read.", settle: "No disagreements to settle." };
  element("waiting").hidden = false;
  element("waiting").textContent = said[reading()];
  for (const id of ["why", "window-said"]) element(id).textContent = "";
  element("said").hidden = true;
  element("about").replaceChildren();
  element("related").replaceChildren();
  slices.open([], undefined);
  showClasses();
}

async function open(at, why = "") {
  moves += 1;
  const mine = moves;
  ready = false;
  order.place = at;
  const { row } = order;
  opening();
  const [found, shown] = await Promise.all([ask(`/api/scans/${row}`, { reviewer: reviewer(), reading: reading() }), image(row)]);
  if (mine !== moves) return;
  scan = found;
  viewer.show(shown, false);
  element("heat").setAttribute("aria-pressed", "false");
  element("waiting").hidden = true;
  element("why").textContent = why ? `Why this one: ${why}.` : "";
  element("canvas").setAttribute("aria-label", scan.blind ? `Scan ${row}` : `Scan ${row}, ${scan.name}`);
  showScan(scan);
  slices.open(scan.slices, row);
  showClasses();
  ready = true;
}

// Nothing is said of the same scan while this is on its way: a key that is pressed meanwhile is not for what comes then.
// Returns what it brings, and whether nobody moved meanwhile.
async function alone(act) {
  const mine = moves;
  saving.push(mine);
  try {
    return [await act(), mine === moves];
  } finally {
    saving.splice(saving.indexOf(mine), 1);
  }
}

async function decide(state, label = null) {
  if (!ready || saving.includes(moves)) return;
  const row = scan.row;
  const of = { rows: [row], state, label, reviewer: reviewer(), reading: reading(), settles: reading() === "settle" };
  element("saved").textContent = "";
  const [, stays] = await alone(() => sendUntilSaved("/api/decisions", of, trouble)).catch((refused) => {
    throw new Refused(refused.status, `Not saved. ${refused.message}`);
  });
  trouble();
  element("saved").textContent = `Saved: ${label ?? state}, scan ${row}`;
  order.answer(row);
  if (stays) await onward();
  await refresh();
}

// Away from a scan of which all is said.
async function onward() {
  ready = false;
  await forward();
}

async function undo() {
  const by = reading();
  const [taken] = await alone(takeBackLast);
  element("saved").textContent = takenBack(taken, `scan ${taken.rows.join(", ")}`);
  if (by !== reading()) return refresh();
  await open(order.again(taken.rows[0]), "you undid your answer");
  return refresh();
}

async function skip() {
  if (!ready || saving.includes(moves)) return;
  const { row } = scan;
  const [, stays] = await alone(() => send("/api/skip", { reviewer: reviewer(), row }));
  element("saved").textContent = `Skipped scan ${row}: it comes back at the end`;
  order.drop();
  if (stays) await onward();
}

async function begin() {
  moves += 1;
  const mine = moves;
  order.clear();
  scan = null;
  ready = false;
  trouble();
  opening();
  element("canvas").focus({ preventScroll: true }); // at once: arrows would choose another reading
  await refresh();
  if (mine !== moves) return;
  await forward();
  await refresh();
}

// Nothing that goes wrong goes unsaid.
const told = (act) => async (...given) => {
  try {
    trouble();
    await act(...given);
  } catch (refused) {
    trouble(refused.message);
  }
};

// The heat map takes the place of the scan until it is switched off, or another scan comes.
async function toggleHeat() {
  if (!scan || !ready) return;
  const { row } = scan;
  const [mine, slice] = [moves, slices.at];
  const on = element("heat").getAttribute("aria-pressed") !== "true";
  if (on) element("window-said").textContent = "Computing the heat map";
  const shown = on ? await fetched(row, `heat?${new URLSearchParams({ reviewer: reviewer(), reading: reading() })}`) : await image(row);
  if (mine !== moves || slice !== slices.at) return; // another scan or slice is to be shown by now
  element("heat").setAttribute("aria-pressed", String(on));
  viewer.show(shown, false);
}

function openDialog(id) {
  element(id).showModal();
}

const KEYS = {
  "?": () => decide("unsure"), n: () => decide("not a scan"), u: undo, s: skip, c: () => openDialog("class-dialog"),
  h: () => openDialog("help-dialog"), ArrowRight: forward, ArrowLeft: backward,
  ArrowUp: () => slices.step(-1), ArrowDown: () => slices.step(1), e: toggleHeat, ...keys,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  // Of a slider or a choice the arrows are its own; a text's are all keys.
  if (event.target.matches("input:not([type=radio]):not([type=range])")) return;
  if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
  const number = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
  const act = number ? () => (status?.classes[number - 1] ? decide("label", status.classes[number - 1]) : undefined) : KEYS[event.key];
  // A key that is held down turns slices and windows, and answers once.
  if (!act || (event.repeat && (number || ["?", "n", "u", "s"].includes(event.key)))) return;
  event.preventDefault();
  told(act)();
});

heedWheel(viewer, slices);

const CLICKS = { backward, forward, skip, undo, "new-class": KEYS.c, help: KEYS.h, heat: toggleHeat };
for (const [id, act] of Object.entries(CLICKS)) element(id).addEventListener("click", () => told(act)());
for (const button of document.querySelectorAll("[data-state]")) button.addEventListener("click", () => told(decide)(button.dataset.state));
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
for (const choice of document.querySelectorAll("input[name=reading]")) choice.addEventListener("change", told(begin));
element("who").addEventListener("click", told(async () => { await askWho(true); await begin(); }));
const addClass = once(async () => {
  try {
    await send("/api/classes", { name: element("class-name").value });
    element("class-name").value = "";
    element("class-wrong").textContent = "";
    element("class-dialog").close();
    await refresh();
  } catch (refused) {
    element("class-wrong").textContent = refused.message;
  }
});
element("class-form").addEventListener("submit", (event) => { event.preventDefault(); addClass(); });

await told(async () => { await askWho(); await begin(); })();
// What others answer, and how far the model is.
every(5000, async () => { if (!document.hidden && reviewer()) await refresh().catch(() => {}); });
