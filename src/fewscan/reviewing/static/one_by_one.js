// A list that may be long, looked at one by one: a part of it at a time comes from the server.

export const AT_ONCE = 50;

export class OneByOne {
  // ask: asked for a part ({ start, count }), answers with { total } and, under `name`, that part; view: where one of them is shown.
  constructor(name, ask, view) {
    this.name = name;
    this.ask = ask;
    this.view = view;
    this.shown = undefined;
    this.saving = this.answering = this.opening = Promise.resolve();
    this.asked = 0;
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

  // Move to another place or list, one move after the other, and bring to the screen what only the last of them leads to.
  // Both are told by isLast() whether it is that still; look also what move returned.
  async open(move, look) {
    this.show(undefined);
    this.asked += 1;
    const mine = this.asked;
    const isLast = () => mine === this.asked;
    this.opening = this.opening.catch(() => {}).then(() => move(isLast));
    const answer = await this.opening;
    if (isLast()) await look(isLast, answer);
  }

  // Nothing can be answered until this is done; where it is refused, what is on the screen still can be.
  async alone(act) {
    const [one, mine] = [this.shown, this.asked];
    this.show(undefined);
    try {
      return await act(one);
    } catch (refused) {
      if (one && mine === this.asked) this.show(one);
      throw refused;
    }
  }

  // Answer what is on the screen, and that once: a key that is pressed again meanwhile is not for what comes next.
  // save: what enters the answer; after: what comes then. Only what was not saved can be answered again.
  async answer(save, after) {
    if (!this.shown) return;
    const saved = this.alone(save);
    this.saving = saved.catch(() => {});
    const answered = saved.then(after);
    this.answering = answered.catch(() => {});
    await answered;
  }

  // The same after the answer that is being saved, from where that leads to.
  async go(move, look) {
    await this.answering;
    await this.open(move, look);
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
