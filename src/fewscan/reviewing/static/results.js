// Finished runs: what there is of each to look at and to take away, and what is being made.

import { ask, askWho, element, made, percent, reviewer, showStanding, told, toldIfRefused } from "./asking.js";
import { Background } from "./background.js";

const MAKES = { score: "score", report: "report", labels: "labels", suspects: "labels in doubt", onnx: "ONNX file", weights: "weights" };
const making = new Background("/api/making", showMaking);
let following = null;

const link = (run, file, text, download) => {
  const attributes = { class: "button", href: `/api/runs/${encodeURIComponent(run.name)}/files/${file}` };
  return made("a", download ? { ...attributes, download: "" } : { ...attributes, target: "_blank", rel: "noopener" }, text);
};

function button(run, what, text, anew = false) {
  const one = made("button", { type: "button" }, text);
  const isThis = (now) => now.run === run.name && now.what === what;
  one.addEventListener("click", told(() => making.begin({ run: run.name, what, anew, target_error: Number(element("error").value) }, isThis)));
  return one;
}

const row = (name, ...what) => [made("dt", {}, name), made("dd", {}, ...what.flatMap((one) => [one, " "]))];

function shown(run, lacks) {
  const has = (file) => run.files.includes(file);
  const accuracy = run.accuracy;
  const score = accuracy === null ? "not scored yet" :
    `${run.score}: accuracy ${percent(accuracy.value)}${accuracy.low === null ? "" : ` [${percent(accuracy.low)}, ${percent(accuracy.high)}]`}`;
  const anew = button(run, "labels", "Label again", true);
  const labels = has("labels") ? [link(run, "labels", "Download labels.csv", true), made("a", { class: "button", href: `/check?run=${encodeURIComponent(run.name)}` }, "Check these labels"), ...(has("checked") ? [link(run, "checked", "Download labels.checked.csv", true)] : []), anew] :
    run.labels_begun ? [button(run, "labels", "Continue the interrupted labeling"), anew] : [button(run, "labels", "Label all unlabeled scans")];
  const scored = accuracy === null ? row("Score", button(run, "score", "Score this run"), made("span", { class: "muted" }, "on the test set (each opening is counted), or by cross-validation where there is none")) : [];
  const onnx = has("onnx") ? [link(run, "onnx", "Download model.onnx", true), link(run, "onnx_card", "Model card")] :
    lacks ? [made("span", {}, lacks)] : [button(run, "onnx", "Export as ONNX")];
  const weights = has("weights") ? [link(run, "weights", "Download model.safetensors", true), link(run, "weights_description", "model.json", true), link(run, "weights_typicality", "typicality.safetensors", true), link(run, "weights_card", "Model card")] :
    [button(run, "weights", "Export weights")];
  const report = has("report") ? [link(run, "report", "Open the report"), button(run, "report", "Write again")] : [button(run, "report", "Write the report")];
  return made("section", { class: "call" }, made("h2", {}, run.name, ...(run.in_use ? [" ", made("span", { class: "verb" }, "this page uses its features")] : [])),
    made("p", { class: "muted" }, `${run.method} · ${run.classes.join(", ")} · started ${run.started.slice(0, 16).replace("T", " ")} UTC · ${score}`),
    ...(run.news === null ? [] : [made("p", {}, `${run.news[0].toUpperCase()}${run.news.slice(1)}.`)]),
    made("dl", { class: "about results" }, ...scored, ...row("Report", ...report), ...row("Labels", ...labels), ...row("ONNX", ...onnx), ...row("Weights", ...weights)));
}

async function refresh() {
  showStanding(await ask("/api/status", { reviewer: reviewer() }));
  const found = await ask("/api/runs");
  element("none").hidden = found.runs.length > 0;
  element("runs").replaceChildren(...found.runs.map((run) => shown(run, found.onnx_lacks)));
}

function showMaking(now) {
  const { running } = making;
  const ended = { none: "", finished: "Done", failed: "Failed", cancelled: "Canceled" };
  const what = now.what === null ? "" : `${MAKES[now.what]} of ${now.run}`;
  const far = now.total ? `, ${now.done.toLocaleString("en")} of ${now.total.toLocaleString("en")} ${now.unit}` : "";
  element("making").textContent = now.phase === "none" ? "" : running ? `In progress: ${what}${far}` : `${ended[now.phase]}: ${what}`;
  element("cancel").hidden = !running;
  element("progress").hidden = !running;
  if (now.total && now.done) { element("progress").max = now.total; element("progress").value = now.done; }
  else element("progress").removeAttribute("value");
  // Labels in doubt are to be looked at on the page Quality, not here.
  const words = now.what === "suspects" ? now.words.split("\n").filter((line) => !line.startsWith(" ")).join("\n") : now.words;
  element("words").hidden = !words;
  element("words").textContent = words;
  if (running) following ??= setInterval(toldIfRefused(() => making.look()), 1500);
  else if (following !== null) {
    clearInterval(following);
    following = null;
    toldIfRefused(refresh)();
  }
}

element("cancel").addEventListener("click", told(() => making.cancel()));
element("who").addEventListener("click", told(() => askWho(true)));

await told(async () => {
  await askWho();
  await refresh();
  await making.look();
})();
