// What the server does in the background, a training or a table say: asked for, begun and cancelled, and that once however often
// a button is pressed.

import { ask, inTurn, send } from "./asking.js";

export class Background {
  // address: where it is asked for and begun; show: puts on the page what was told of it.
  constructor(address, show) {
    this.address = address;
    this.show = show;
    this.now = null; // what was told last
    this.cancelled = false; // what runs
    this.looking = null; // what was asked for and is not told yet
    // One after the other, so that no late answer shows what was before.
    this.inTurn = inTurn((act) => act());
  }

  get running() { return this.now?.phase === "running"; }

  take(told) {
    this.now = told;
    this.cancelled &&= this.running;
    return this.show(told);
  }

  // Only one at a time: with a slow server no button's turn comes behind many.
  look() {
    this.looking ??= this.inTurn(async () => this.take(await ask(this.address))).finally(() => { this.looking = null; });
    return this.looking;
  }

  // Send what a button is for, unless a click before has done it: that is known once that click's answer is there.
  async once(isDone, path, content) {
    await this.inTurn(async () => { if (!isDone()) await this.take(await send(`${this.address}${path}`, content)); });
  }

  // same: whether what runs is what is to be begun.
  begin(content, same = () => true) { return this.once(() => this.running && same(this.now), "", content); }

  async cancel() {
    await this.once(() => !this.running || this.cancelled, "/cancel", {});
    this.cancelled = this.running;
  }
}
