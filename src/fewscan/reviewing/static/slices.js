// The slices of the file that a scan is one of: they are turned over, and the answer stays about that one.

import { element, told } from "./asking.js";

// What the wheel does over the scan: it turns the slices over, and zooms where there are none or Ctrl is held.
export function heedWheel(viewer, slices) {
  element("canvas").addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey || !slices.many) viewer.scale(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    else told(() => slices.step(Math.sign(event.deltaY)))();
  }, { passive: false });
}

export class Slices {
  // image: row -> promise of its levels; view: shows the levels of another slice in the place of those on the screen.
  constructor(image, view) {
    this.image = image;
    this.view = view;
    this.open([], undefined);
    element("slice").addEventListener("input", told((event) => this.turn(Number(event.target.value))));
  }

  // rows: of the file, in its order; row: the scan that is on the screen, none where no scan is.
  open(rows, row) {
    this.rows = rows;
    this.own = rows.indexOf(row);
    this.at = this.own;
    this.say();
  }

  get many() { return this.rows.length > 1; }

  say() {
    element("slices-tool").hidden = !this.many;
    element("slice").max = String(this.rows.length - 1);
    element("slice").value = String(this.at);
    element("slice-said").textContent = `${this.at + 1} of ${this.rows.length}`;
    element("slice-note").hidden = this.at === this.own;
    element("slice-note").textContent = `You look at slice ${this.at + 1}; your answer is about slice ${this.own + 1}.`;
  }

  async step(by) { await this.turn(this.at + by); }

  async turn(to) {
    const { rows } = this;
    if (to < 0 || to >= rows.length) return;
    this.at = to;
    this.say();
    const shown = await this.image(rows[to]);
    if (this.rows !== rows || this.at !== to) return; // another one is to be shown by now
    this.view(shown);
    for (const near of [to - 1, to + 1]) if (rows[near] !== undefined) this.image(rows[near]).catch(() => {});
  }
}
