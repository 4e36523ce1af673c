// The order in which scans come to the screen: those that were shown, as they were shown, and then those that are to be answered next.

const AHEAD = 4;
const KEPT = 500; // of those that were shown

export class Order {
  // ask: asked for so many scans to be answered, with why, in the order in which the server wants them; soon: told the next rows.
  constructor(ask, soon) {
    this.ask = ask;
    this.soon = soon;
    this.fills = 0; // of the queue: what was asked for last is what counts
    this.clear();
  }

  clear() {
    this.queue = []; // what the server wants answered
    this.forget();
    this.seen = []; // rows that were shown, in their order
    this.place = -1; // which of them is shown now
    this.answered = new Set(); // which of them were answered here
  }

  get row() { return this.seen[this.place]; }

  get isLast() { return this.place >= this.seen.length - 1; }

  // Those that are to come: what was not shown yet, and then what was shown without an answer, the longest ago first.
  get coming() {
    const shown = ({ row }) => this.seen.lastIndexOf(row);
    return this.queue.filter(({ row }) => row !== this.row).sort((one, other) => shown(one) - shown(other));
  }

  get hasNew() { return this.queue.some(({ row }) => !this.seen.includes(row)); }

  // Returns whether the answer counts: it was not asked for again, nor forgotten, meanwhile.
  async fill() {
    this.fills += 1;
    const mine = this.fills;
    // The server may want first what was shown without an answer.
    const open = new Set(this.seen.filter((row) => !this.answered.has(row)));
    const queue = await this.ask(AHEAD + open.size);
    if (mine !== this.fills) return false;
    this.queue = queue;
    this.soon(this.coming.slice(0, AHEAD - 1).map(({ row }) => row));
    return true;
  }

  // What is being asked for was asked before an answer, and may hold its scan.
  forget() { this.fills += 1; }

  // Drop what waits, in favor of what is asked for then.
  drop() {
    this.forget();
    this.queue = [];
  }

  answer(row) {
    this.forget();
    this.queue = this.queue.filter((one) => one.row !== row);
    this.answered.add(row);
  }

  // Show a row behind all others, and return its place.
  add(row) {
    this.queue = this.queue.filter((one) => one.row !== row);
    this.seen = [...this.seen, row].slice(-KEPT);
    return this.seen.length - 1;
  }

  // Where a row stands whose answer was taken back.
  again(row) {
    this.answered.delete(row);
    const at = this.seen.lastIndexOf(row);
    return at < 0 ? this.add(row) : at;
  }
}
