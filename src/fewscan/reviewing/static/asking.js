// What all views ask of the server, and who asks.

export const element = (id) => document.getElementById(id);

// A reason is said as a sentence; what begins with a name keeps it.
const sentence = (reason) => reason.replace(/^[a-z]+(?=[ ,])/, (word) => word[0].toUpperCase() + word.slice(1));

export class Refused extends Error {
  constructor(status, reason) {
    super(sentence(String(reason)));
    this.status = status;
  }
}

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, "The server does not answer. Is it still running where it was started?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) location.replace("/login");
  let reason = answer.statusText;
  try {
    reason = (await answer.json()).detail;
  } catch {
    // the status text says it
  }
  throw new Refused(answer.status, reason);
}

export const ask = async (path, query = {}) => (await answered(`${path}?${new URLSearchParams(query)}`)).json();

export const askBytes = (path) => answered(path);

export async function send(path, content) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
  return (await answered(path, options)).json();
}

export async function sendFile(path, file) {
  const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file };
  return (await answered(path, options)).json();
}

// A label log that another program writes to at this moment, or a server that is being started again, is waited for.
const TRIES = 5;
const PAUSE_MS = 1500;

// An act of which one goes after the other: what is asked for last is answered last.
export function inTurn(act) {
  let last = Promise.resolve();
  return (...given) => {
    last = last.catch(() => {}).then(() => act(...given));
    return last;
  };
}

// An act that is done once: asked for again before it is done, as by a double click, it is not done again.
export function once(act) {
  let doing = false;
  return async (...given) => {
    if (doing) return;
    doing = true;
    await act(...given).finally(() => { doing = false; });
  };
}

// Again and again, each time so long after the last one is done: where the server is slow, none waits behind another.
export function every(milliseconds, act) {
  setTimeout(async () => {
    await act();
    every(milliseconds, act);
  }, milliseconds);
}

// What a person says and takes back reaches the server in the order in which it was said.
export const sendInTurn = inTurn((enter) => enter());

// Take back what the reviewer said last.
export const takeBackLast = () => sendInTurn(() => send("/api/undo", { reviewer: reviewer() }));

export const sendUntilSaved = (path, content, told) => sendInTurn(() => tryUntilSaved(path, content, told));

async function tryUntilSaved(path, content, told) {
  // One that is sent again because no reply came counts once.
  const answer = { ...content, answer_id: `${Date.now()}-${Math.random()}` };
  for (let tried = 1; ; tried += 1) {
    try {
      return await send(path, answer);
    } catch (refused) {
      if (tried === TRIES || (refused.status !== 503 && refused.status !== 0)) throw refused;
      told(`Not saved yet: ${refused.message} Trying again.`);
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }
}

const KEY = "fewscan reviewer";

export const reviewer = () => localStorage.getItem(KEY) ?? "";

export function askWho(force = false) {
  const dialog = document.getElementById("name-dialog");
  const field = document.getElementById("name");
  const button = document.getElementById("who");
  const show = () => { button.textContent = reviewer() || "Reviewer"; };
  if (reviewer() && !force) {
    show();
    return Promise.resolve(reviewer());
  }
  field.value = reviewer();
  dialog.showModal();
  dialog.oncancel = () => { field.value = reviewer(); }; // Escape leaves who it was
  return new Promise((done) => {
    dialog.onclose = () => {
      const name = field.value.trim();
      if (name) localStorage.setItem(KEY, name);
      if (!reviewer()) {
        dialog.showModal();
        return;
      }
      show();
      done(reviewer());
    };
  });
}

// What the answer of an undo means, of scans in words.
export const takenBack = (taken, scans) => `${taken.again ? "Restored" : "Undone"}: ${taken.label ?? taken.state}, ${scans}`;

// A number of something, `1 scan`, `2,000 scans`.
export const counted = (number, what = "scan") => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

export const percent = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.005 ? 1 : 0)}\u00a0%`;

export function showStanding(status) {
  const said = [`${status.answered.toLocaleString("en")} of ${status.scans.toLocaleString("en")} answered`];
  const accuracy = status.model.accuracy;
  if (accuracy && accuracy.value !== null) {
    const ends = accuracy.low === null ? "" : ` [${percent(accuracy.low)}, ${percent(accuracy.high)}]`;
    said.push(`model accuracy ${percent(accuracy.value)}${ends} on ${accuracy.scans} random scans`);
  } else if (status.model.phase === "looking") {
    said.push(`preparing the model: ${status.model.looked_at.toLocaleString("en")} scans so far`);
  }
  document.getElementById("standing").textContent = said.join(" · ");
  showNews(status);
}

// The server goes by what the dataset is on disk: what changed there is said once, until it is read.
let revision = null;

function showNews(status) {
  const news = document.getElementById("news");
  if (revision !== null && status.revision !== revision && status.news) {
    const read = made("button", { type: "button", class: "quiet" }, "OK");
    read.addEventListener("click", () => { news.hidden = true; });
    news.replaceChildren(`The dataset changed on disk: ${status.news}. This page now uses it. `, read);
    news.hidden = false;
  }
  revision = status.revision;
}

// What the next labels are likely to bring, in words; nothing before there is a model.
export function forecast(model) {
  if (!model.labels) return "";
  const { gain } = model;
  if (gain === null) return "What more labels will bring can be estimated once ten randomly drawn scans have an answer.";
  const points = (share) => `${share < -0.005 ? "−" : ""}${Math.abs(100 * share).toFixed(0)}`;
  return `The next ${gain.labels} labels are likely to add about ${points(gain.value)} ${points(gain.value) === "1" ? "point" : "points"} of accuracy [${points(gain.low)}, ${points(gain.high)}].`;
}

export function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// An act of the page's own, whose refusal is said on the page.
export const toldIfRefused = (act) => async (...given) => {
  try {
    await act(...given);
  } catch (refused) {
    element("trouble").textContent = refused.message;
  }
};

// An act of the person's: what was refused before is said no longer.
export const told = (act) => async (...given) => {
  element("trouble").textContent = "";
  await toldIfRefused(act)(...given);
};

// What is chosen with the mouse gives the keys to what it brings: the arrows move there, and choose nothing else. Who chooses by
// the keyboard keeps them.
export function givesKeys(choice, brings) {
  choice.addEventListener("change", () => { if (!choice.matches(":focus-visible")) brings().focus({ preventScroll: true }); });
}
