// The model: what it has learned, a training in the background, and what it says of another scan.

import { ask, askWho, element, every, forecast, made, percent, reviewer, sendFile, showStanding, told } from "./asking.js";
import { Background } from "./background.js";

const KINDS = ["nii.gz", "png", "jpg", "bmp", "webp", "tif", "dcm", "nii", "nrrd", "mha", "npy"];
const SAME = { jpeg: "jpg", tiff: "tif" };

const STEPS = { audit: "audit of the dataset", split: "split", train: "training" };
const training = new Background("/api/training", showTraining);

function showTraining(job) {
  const accuracy = job.accuracy === null ? "" : `, accuracy ${percent(job.accuracy)} on the validation images`;
  const phases = {
    none: "", running: `Running: ${STEPS[job.command] ?? "first step"}${job.unlabeled ? " without labels" : ""}${job.epochs ? `, epoch ${job.epoch} of ${job.epochs}` : ""}${accuracy}`,
    finished: `Finished: ${job.run}${accuracy}. On the Results page you can score it, write its report and label scans with it.`,
    failed: `Failed${accuracy}: ${job.words}`, cancelled: `Canceled${accuracy}. ${job.words}`,
  };
  element("phase").textContent = phases[job.phase];
  element("epochs").hidden = job.phase !== "running" || !job.epochs;
  element("epochs").max = job.epochs || 1;
  element("epochs").value = job.epoch;
  element("begin").disabled = job.phase === "running";
  element("cancel").hidden = job.phase !== "running";
  element("resume").hidden = job.unfinished === null;
  element("compared").hidden = job.before === null;
  if (job.before !== null) {
    element("same").textContent = `On the same ${job.compared_images} validation images, from which neither learned`;
    element("before").textContent = percent(job.before);
    element("after").textContent = percent(job.after);
  }
  element("use").hidden = job.phase !== "finished" || job.used;
}

async function refresh() {
  const status = await ask("/api/status", { reviewer: reviewer() });
  showStanding(status);
  const model = status.model;
  const states = { looking: `Preparing the model: it has seen ${model.looked_at.toLocaleString("en")} scans so far.`, failed: `No model: ${model.words}`,
    learning: model.labels ? `Logistic regression on ${model.words}, trained on ${model.labels.toLocaleString("en")} labels. ${forecast(model)}` : "The model starts once scans of two classes have labels: give some on the Label page." };
  element("told").textContent = states[model.phase];
  element("counts").replaceChildren(...Object.entries(status.counts).flatMap(([name, count]) => [made("dt", {}, name), made("dd", {}, String(count))]));
  await training.look();
}

async function predict() {
  const file = element("file").files[0];
  // What was said of another scan does not stand below the name of this one.
  showSaid(null);
  element("reading").hidden = !file;
  if (!file) return;
  const name = file.name.toLowerCase();
  const ending = name.slice(name.lastIndexOf(".") + 1);
  const kind = KINDS.find((one) => name.endsWith(`.${one}`)) ?? SAME[ending] ?? "dcm";
  const [said, refused] = await sendFile(`/api/predict?kind=${kind}`, file).then((answer) => [answer, null], (reason) => [null, reason]);
  if (element("file").files[0] !== file) return; // another one was chosen meanwhile
  element("reading").hidden = true;
  if (refused !== null) throw refused;
  showSaid(said);
}

// What the model says of a scan, or nothing.
function showSaid(said) {
  element("shares").hidden = said === null;
  element("unlike").hidden = !said?.out_of_distribution;
  element("notes").hidden = !said?.notes.length;
  element("notes").replaceChildren(...(said?.notes ?? []).map((note) => made("li", {}, note)));
  element("share-rows").replaceChildren(...(said?.shares ?? []).map((one) => made("tr", {}, made("th", { scope: "row" }, one.label), made("td", {}, percent(one.probability)))));
}

const length = () => document.querySelector("input[name=length]:checked").value;
element("begin").addEventListener("click", told(() => training.begin({ length: length() })));
element("resume").addEventListener("click", told(() => training.begin({ resume: true })));
element("cancel").addEventListener("click", told(() => training.cancel()));
element("use").addEventListener("click", told(() => training.once(() => training.now?.used, "/use", {})));
element("file").addEventListener("change", told(predict));
element("who").addEventListener("click", told(() => askWho(true)));

await told(async () => { await askWho(); await refresh(); })();
every(2000, async () => { if (!document.hidden) await refresh().catch(() => {}); });
