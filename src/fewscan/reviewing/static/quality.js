// Data quality: copies to judge, labels to settle, images that were set aside.

import { askWho, element, every, givesKeys, reviewer, told } from "./asking.js";
import { page } from "./quality_parts.js";
import { pairs } from "./pairs.js";
import { conflicts } from "./conflicts.js";
import { doubts } from "./doubts.js";
import { aside } from "./aside.js";

Object.assign(page.parts, { pairs, conflicts, doubts, aside });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("select, input:not([type=radio])")) return;
  if (event.target.matches("input, a, button") && (event.key === "Enter" || event.key === " " || (event.target.matches("input") && event.key.startsWith("Arrow")))) return;
  const act = page.parts[page.part].key(event.key);
  if (!act || event.repeat) return;
  event.preventDefault();
  told(act)();
});
for (const choice of document.querySelectorAll("input[name=part]")) {
  choice.addEventListener("change", told(() => page.open(choice.value)));
  givesKeys(choice, () => element(choice.value));
}
element("who").addEventListener("click", told(async () => { await askWho(true); await page.refresh(); await page.open(page.part); }));

await told(async () => {
  await askWho();
  await page.refresh();
  await page.open(page.part); // which may have been chosen meanwhile
})();
every(5000, async () => { if (!document.hidden && reviewer()) await page.refresh().catch(() => {}); });
