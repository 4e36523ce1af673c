// Images that take no part, and why; what was set aside by a person or the audit comes back by one click.

import { ask, element, made, once, reviewer, send, sendInTurn, sendUntilSaved, told } from "./asking.js";
import { page } from "./quality_parts.js";

const AT_ONCE = 60;
let shown = 0;
let loads = 0;

const which = () => document.querySelector("input[name=which-aside]:checked").value;

async function show(more = false) {
  const own = ++loads;
  const answer = await ask("/api/aside", { which: which(), start: more ? shown : 0, count: AT_ONCE });
  // The other list was asked for meanwhile: its answer may be here already.
  if (own !== loads) return;
  if (!more) { element("aside-scans").replaceChildren(); shown = 0; }
  element("aside-scans").append(...answer.scans.map(card));
  shown += answer.scans.length;
  element("aside-more").hidden = shown >= answer.total;
  element("aside-count").textContent = answer.counts.aside || "";
  element("probable-count").textContent = answer.counts.probable || "";
  element("aside-told").textContent = which() === "aside" ?
    (answer.total ? "Files that could not be read at import stay out: fix the file and add it under another name. You can restore all others." : "No image is set aside.") :
    (answer.total ? "The audit suspects that these are not scans. They are used until somebody sets them aside. A label says that one is a scan." : "No unanswered image looks like noise, text or an almost empty picture.");
}

function card(one) {
  const file = which() === "aside" && !one.can_return;
  const image = made("img", { src: file ? `/api/aside/${one.row}/picture.png` : `/api/scans/${one.row}/thumbnail.png`, alt: `image ${one.row}`, loading: "lazy" });
  const frame = made("div", { class: "frame" }, image);
  image.addEventListener("error", () => frame.replaceChildren(made("span", {}, "no picture: file cannot be read")));
  const by = one.time === null ? "" : ` · ${one.who ?? "by the audit"}, ${one.time.slice(0, 10)}`;
  const item = made("li", {}, frame, made("p", {}, made("b", {}, one.reason), by), made("p", { class: "muted" }, `${one.row} · ${one.name}`));
  if (one.can_return || which() === "probable") {
    const act = one.can_return ? takeBack : setAside;
    const button = made("button", { type: "button" }, one.can_return ? "Restore" : "Set aside");
    button.setAttribute("aria-label", `${button.textContent}: image ${one.row}`);
    button.addEventListener("click", told(once(() => act(one.row))));
    item.append(button);
  }
  return item;
}

async function takeBack(row) {
  const said = { row, reviewer: reviewer() };
  const answer = await sendInTurn(() => send("/api/aside/back", said));
  page.saved(`Saved. Scan ${row} is used again: ${answer.holds === "none" ? "no label" : answer.holds}`);
  await page.refresh();
  await show();
}

async function setAside(row) {
  await sendUntilSaved("/api/decisions", { rows: [row], state: "not a scan", reviewer: reviewer(), reading: "grid" }, (text) => { element("trouble").textContent = text; });
  page.saved(`Saved. Scan ${row} is set aside as not a scan`);
  await page.refresh();
  await show();
}

element("aside-more").addEventListener("click", told(() => show(true)));
for (const choice of document.querySelectorAll("input[name=which-aside]")) choice.addEventListener("change", told(() => show()));
const byHand = once(async () => { await setAside(Number(element("by-hand-row").value)); element("by-hand-row").value = ""; });
element("by-hand").addEventListener("submit", (event) => { event.preventDefault(); told(byHand)(); });

export const aside = { show: () => show(), key: (name) => ({ u: page.undo })[name] };
