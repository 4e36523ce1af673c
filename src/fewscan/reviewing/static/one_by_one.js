// A list that may be long, looked at one by one: a part of it at a time comes from the server.

export const AT_ONCE = 50;

export class OneByOne {
  // ask: asked for a part ({ start, count }), answers with { total } and, under `name`, that part; view: where one of them is shown.
  constructor(name, ask, view) {
    this.name = name;
    this.ask = ask;
    this.view = view;
    this.shown = undefined;
    this.saving = Promise.resolve();
    this.place = 0;
    this.first = 0;
    this.total = 0;
    this.part = [];
  }

  // What stands at the place; undefined where the list is empty.
  get now() { return this.part[this.place - this.first]; }

  // What is on the screen from now on; nothing while the next one is opened.
  show(one) {
    this.shown = one;
    this.view.setAttribute("aria-busy", String(one === undefined));
  }

  // Answer what is on the screen, and that once: a key that is pressed again meanwhile is not for what comes next.
  // save: what enters the answer; after: what comes then. Only what was not saved can be answered again.
  async answer(save, after) {
    const one = this.shown;
    if (!one) return;
    this.show(undefined);
    const saved = save(one);
    this.saving = saved.catch(() => {});
    try {
      await saved;
    } catch (refused) {
      if (!this.shown) this.show(one);
      throw refused;
    }
    await after();
  }

  // Ask anew for the part around the place, which stays if the list is still long enough; returns the answer. What is being saved
  // comes first: the part before it would bring to the screen again what is answered.
  async load() {
    await this.saving;
    const start = Math.floor(this.place / AT_ONCE) * AT_ONCE;
    const answer = await this.ask({ start, count: AT_ONCE });
    const last = Math.max(0, answer.total - 1);
    if (this.place > last) {
      this.place = last;
      return this.load();
    }
    this.first = start;
    this.total = answer.total;
    this.part = answer[this.name];
    return answer;
  }

  // Go on by so many, to an end at most.
  async step(by) { await this.goTo(Math.min(this.total - 1, Math.max(0, this.place + by))); }

  // Go on by one, from the last to the first.
  async next() { await this.goTo((this.place + 1) % Math.max(1, this.total)); }

  async goTo(place) {
    this.place = Math.max(0, place);
    if (this.now === undefined && this.total) await this.load();
  }
}
