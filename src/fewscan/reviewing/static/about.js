// What is known of a scan, beside its picture.

import { element, made } from "./asking.js";
import { laid } from "./beside.js";

function strip(title, related) {
  if (related.length === 0) return [];
  const items = related.map((one) => made("li", {}, made("figure", {},
    laid(made("img", { src: `/api/scans/${one.row}/thumbnail.png`, alt: `scan ${one.row}`, loading: "lazy", title: one.name }), one.lying),
    made("figcaption", {}, made("b", {}, one.said ?? "no answer"), " ",
      made("span", { class: "unbroken" }, `scan ${one.row}`), ...one.lying.words.map((words) => `, ${words}`)))));
  return [made("h2", {}, title), made("ul", { class: "strip" }, ...items)];
}

export function showScan(scan) {
  // Who reads blind is not led by a file either: folders are often called as classes are.
  const facts = [...(scan.blind ? [] : [["File", scan.name]]), ["Size", `${scan.width_px} x ${scan.height_px} px`], ["Scan", String(scan.row)]];
  element("about").replaceChildren(...facts.flatMap(([name, said]) => [made("dt", {}, name), made("dd", {}, said)]));
  const said = [];
  if (scan.own !== null) said.push(`You said: ${scan.own}.`);
  else if (scan.holds !== null) said.push(`Label in the dataset: ${scan.holds}.`);
  for (const [who, what] of Object.entries(scan.others)) said.push(`${who} said: ${what}.`);
  if (scan.blind) said.push("This reading is blind: you see what others and the model say after you answer.");
  element("said").hidden = said.length === 0;
  element("said").textContent = said.join(" ");
  element("related").replaceChildren(
    ...strip("Most similar labeled scans", scan.nearest),
    ...strip("Copies of this scan", scan.copies),
    ...strip("From the same patient or head", scan.same_head),
  );
}
