// The map: all scans as dots, those alike side by side; what is drawn around is looked into, and answered together.

import { ask, askBytes, askWho, counted, element, givesKeys, inTurn, made, percent, reviewer, send, showStanding, told } from "./asking.js";
import { Cells, actOn, saveFor, showChosen, showMoves, takeBack } from "./cells.js";
import { Scatter } from "./scatter.js";

const AT_ONCE = 60;
const FAR = 65535;
// Three grays that are told apart, by a warm tint or by brightness, and seen on black.
const PLAIN = ["#79838c", "#8f8068", "#525a62"];
const COLORS = ["#e69f00", "#56b4e9", "#2fc38e", "#ee7733", "#e08fc0", "#7f9cf5", "#d8cf3c", "#c9c9c9", "#ff6f91", "#7be0e0", "#b48ead", "#a3be8c"];
const WAIT_MS = 1000;
const LOOK_MS = 5000;

let status = null;
let map = null; // { rows, clusters }
let shown = { names: [], plain: 0, codes: new Uint16Array(), open: new Uint8Array() };
let inside = []; // positions that are looked into, the oddest first
let number = 0; // of the map that is shown

const scatter = new Scatter(element("canvas"), { pointed, drawn: (positions, add) => told(lookInto)(positions, add) });
const cells = new Cells(element("grid"), showChosen);
const by = () => document.querySelector("input[name=by]:checked").value;

const color = (code) => (code < shown.plain ? PLAIN[code % PLAIN.length] : COLORS[(code - shown.plain) % COLORS.length]);
const abgr = (hex) => (0xff000000 | (parseInt(hex.slice(5), 16) << 16) | (parseInt(hex.slice(3, 5), 16) << 8) | parseInt(hex.slice(1, 3), 16)) >>> 0;

// All that is known of the scans comes before any is shown: what can be drawn around can be looked into then, too.
async function loadMap() {
  const answer = await askBytes("/api/map/points");
  const { scans } = JSON.parse(answer.headers.get("x-points"));
  const bytes = await answer.arrayBuffer();
  const part = (number) => new Uint16Array(bytes, 4 * scans + 2 * number * scans, scans);
  const colors = await askColors(by());
  if (colors.codes.length !== scans) return false; // it was made anew meanwhile
  map = { rows: new Uint32Array(bytes, 0, scans), clusters: part(2) };
  inside = [];
  element("more").hidden = true;
  scatter.show(Float32Array.from(part(0), (x) => x / FAR), Float32Array.from(part(1), (y) => y / FAR));
  showClusters();
  showColors(colors);
  if (colors.by !== by()) await loadColors();
  return true;
}

function showClusters() {
  const found = [];
  map.clusters.forEach((cluster, position) => {
    found[cluster] ??= { x: 0, y: 0, count: 0 };
    found[cluster].x += scatter.xs[position];
    found[cluster].y += scatter.ys[position];
    found[cluster].count += 1;
  });
  scatter.numbers = found.map(({ x, y, count }, at) => ({ x: x / count, y: y / count, text: String(at + 1) }));
  element("cluster").replaceChildren(made("option", { value: "" }, "none"), ...found.map(({ count }, at) => made("option", { value: String(at) }, `${at + 1}: ${counted(count)}`)));
}

async function askColors(asked) {
  const answer = await askBytes(`/api/map/colors?${new URLSearchParams({ by: asked, reviewer: reviewer() })}`);
  const { scans, names, plain } = JSON.parse(answer.headers.get("x-colors"));
  const bytes = await answer.arrayBuffer();
  return { by: asked, names, plain, codes: new Uint16Array(bytes, 0, scans), open: new Uint8Array(bytes, 2 * scans) };
}

function showColors(colors) {
  if (shown.by !== colors.by) scatter.hidden.clear();
  shown = colors;
  scatter.color(shown.codes, shown.names.map((_, code) => abgr(color(code))), shown.plain);
  showLegend();
}

const loadColors = inTurn(async () => {
  if (!map) return;
  const colors = await askColors(by());
  if (colors.by === by() && colors.codes.length === map.rows.length) showColors(colors);
});

function showLegend() {
  const counts = new Uint32Array(shown.names.length);
  for (const code of shown.codes) counts[code] += 1;
  const items = shown.names.map((name, code) => {
    const swatch = made("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = color(code);
    const button = made("button", { type: "button", class: "quiet", "aria-pressed": String(!scatter.hidden.has(code)) }, swatch, ` ${name} ${counts[code].toLocaleString("en")}`);
    button.addEventListener("click", () => {
      if (!scatter.hidden.delete(code)) scatter.hidden.add(code);
      button.setAttribute("aria-pressed", String(!scatter.hidden.has(code)));
      scatter.later();
    });
    return made("li", {}, button);
  });
  element("legend").replaceChildren(...items.filter((_, code) => counts[code]));
}

function pointed(position, event) {
  element("pointed").hidden = position < 0;
  if (position < 0) return;
  element("pointed-scan").src = `/api/scans/${map.rows[position]}/thumbnail.png`;
  element("pointed-said").textContent = `${shown.names[shown.codes[position]]} · scan ${map.rows[position]} · cluster ${map.clusters[position] + 1}`;
  const stage = element("stage").getBoundingClientRect();
  const [x, y] = [event.clientX - stage.left, event.clientY - stage.top];
  Object.assign(element("pointed").style, {
    left: x > stage.width / 2 ? "auto" : `${x + 14}px`, right: x > stage.width / 2 ? `${stage.width - x + 14}px` : "auto",
    top: y > stage.height / 2 ? "auto" : `${y + 14}px`, bottom: y > stage.height / 2 ? `${stage.height - y + 14}px` : "auto",
  });
}

async function lookInto(positions, add = false) {
  const all = add ? [...new Set([...inside, ...positions])] : positions;
  scatter.select(all);
  inside = all.filter((position) => shown.open[position]);
  const [x, y] = [scatter.xs, scatter.ys].map((of) => inside.reduce((sum, position) => sum + of[position], 0) / (inside.length || 1));
  const away = new Map(inside.map((position) => [position, Math.hypot(scatter.xs[position] - x, scatter.ys[position] - y)]));
  inside.sort((one, other) => away.get(other) - away.get(one));
  const kept = all.length - inside.length;
  element("told").textContent = `${counted(inside.length)} to look at.${kept ? ` ${kept.toLocaleString("en")} more ${kept === 1 ? "is" : "are"} held back: in a test or validation set, or measuring the model.` : ""}`;
  await more(true);
}

const words = (one) => [one.said ?? (one.called ? `${one.called}?` : ""), one.said || one.probability === null ? "" : percent(one.probability)].join(" ");

async function more(anew = false) {
  const of = inside;
  const start = anew ? 0 : cells.length;
  const rows = of.slice(start, start + AT_ONCE).map((position) => map.rows[position]);
  const found = rows.length ? await send("/api/map/scans", { rows, reviewer: reviewer() }) : [];
  if (of !== inside || (!anew && start !== cells.length)) return; // something else was drawn around meanwhile, or these are there
  if (anew) cells.clear();
  for (const one of found) cells.add(one.row, one.name, words(one), `scan ${one.row} ${words(one)}`);
  element("more").hidden = cells.length >= inside.length;
}

const again = inTurn(async () => {
  const rows = cells.cells.map((cell) => cell.row);
  if (rows.length) for (const one of await send("/api/map/scans", { rows: rows.slice(0, 1000), reviewer: reviewer() })) cells.say(one.row, words(one));
  await refresh();
});

async function decide(state, name = null) {
  if (!await saveFor(cells, state, name)) return;
  await again();
}

async function undo() {
  await takeBack();
  await again();
}

const refresh = inTurn(async () => {
  const before = JSON.stringify([status?.counts, status?.model.labels]);
  status = await ask("/api/status", { reviewer: reviewer() });
  showStanding(status);
  showMoves(status.classes, null, decide);
  if (JSON.stringify([status.counts, status.model.labels]) !== before) await loadColors();
});

// How far the map is; returns whether it is there.
async function look() {
  const now = await ask("/api/map");
  const said = {
    looking: `Preparing the model: ${now.looked_at.toLocaleString("en")} of ${counted(now.scans)}`,
    placing: `Placing ${counted(now.scans)}: ${now.seconds.toFixed(0)} s so far. You can label meanwhile; the map will be kept.`, failed: `No map: ${now.words}`, ready: "",
  };
  if (now.phase === "ready" && now.number !== number) {
    if (!await loadMap()) return false;
    number = now.number;
  }
  element("waiting").textContent = said[now.phase];
  element("waiting").hidden = now.phase === "ready";
  element("way").textContent = now.phase === "ready" ? `Scans are placed ${now.words}.` : "";
  return now.phase === "ready";
}

async function watch() {
  let ready = false;
  try {
    if (!document.hidden && reviewer()) {
      ready = await look();
      await refresh();
    }
  } catch {
    // said by whatever is done next
  }
  setTimeout(watch, ready ? LOOK_MS : WAIT_MS);
}

function pick(cluster) {
  element("cluster").value = cluster === null ? "" : String(cluster);
  if (cluster !== null) told(lookInto)([...map.clusters.keys()].filter((position) => map.clusters[position] === cluster));
}

function pickNext(step) {
  const count = scatter.numbers.length;
  if (!count) return;
  const now = element("cluster").value;
  pick(now === "" ? (step > 0 ? 0 : count - 1) : (Number(now) + step + count) % count);
}

function toggleMove() {
  scatter.moves = !scatter.moves;
  element("move").setAttribute("aria-pressed", String(scatter.moves));
}

const MOVED_PX = 60;
const KEYS = {
  "[": () => pickNext(-1), "]": () => pickNext(1), "+": () => scatter.scale(1.25), "=": () => scatter.scale(1.25), "-": () => scatter.scale(0.8),
  0: () => scatter.reset(), m: toggleMove,
};
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") || event.target.matches("input:not([type=radio]), select")) return;
  const arrow = document.activeElement === element("canvas") ? ARROWS[event.key] : undefined;
  if (arrow) scatter.move(arrow[0] * MOVED_PX, arrow[1] * MOVED_PX);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

actOn(cells, { classes: () => status?.classes ?? [], decide, undo });
for (const [id, act] of Object.entries({ smaller: KEYS["-"], larger: KEYS["+"], move: toggleMove, reset: KEYS[0] })) element(id).addEventListener("click", act);
for (const choice of document.querySelectorAll("input[name=by]")) {
  choice.addEventListener("change", told(loadColors));
  givesKeys(choice, () => element("canvas"));
}
element("cluster").addEventListener("change", (event) => pick(event.target.value === "" ? null : Number(event.target.value)));
givesKeys(element("cluster"), () => element("canvas"));
element("more").addEventListener("click", told(() => more()));
element("who").addEventListener("click", told(async () => { await askWho(true); await refresh(); await loadColors(); }));

await told(async () => { await askWho(); await refresh(); await look(); })();
watch();
