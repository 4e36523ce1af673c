// Many scans as dots on a canvas: colored, zoomed, moved about, pointed at, and drawn around.

import { heedDrags, placeOn } from "./drags.js";

const PAD = 26; // room for a number above the highest dot
// near: how far from a dot one may point at it; click: a drag that is shorter is a click. A finger is blunt, and never still.
const MOUSE_PX = { near: 10, click: 4 };
const FINGER_PX = { near: 24, click: 10 };
const MOST_ZOOM = 60;

// Whether (x, y) lies within a polygon, a list of [x, y]. Source: Franklin, "PNPOLY".
export function within(x, y, polygon) {
  let inside = false;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at, at += 1) {
    const [ax, ay] = polygon[at];
    const [bx, by] = polygon[before];
    if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

// The positions of all that lies within a polygon: xs, ys of each.
export function enclosed(xs, ys, polygon) {
  const [px, py] = [polygon.map((point) => point[0]), polygon.map((point) => point[1])];
  const [left, right, top, bottom] = [Math.min(...px), Math.max(...px), Math.min(...py), Math.max(...py)];
  const found = [];
  for (let at = 0; at < xs.length; at += 1) {
    if (xs[at] < left || xs[at] > right || ys[at] < top || ys[at] > bottom) continue;
    if (within(xs[at], ys[at], polygon)) found.push(at);
  }
  return found;
}

export class Scatter {
  // pointed(position or -1, event): a dot is pointed at; drawn(positions, add): some were drawn around.
  constructor(canvas, { pointed, drawn }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.told = { pointed, drawn };
    this.moves = false;
    this.xs = new Float32Array();
    this.ys = new Float32Array();
    this.hidden = new Set();
    this.numbers = []; // { x, y, text }: what stands on the map
    this.line = []; // what is being drawn, in pixels of the canvas
    new ResizeObserver(() => this.later()).observe(canvas.parentElement);
    heedDrags(canvas, (event) => this.grasp(event), (...fingers) => this.pinch(...fingers));
    canvas.addEventListener("pointermove", (event) => { if (!event.buttons) pointed(this.nearest(...placeOn(canvas, event)), event); });
    canvas.addEventListener("pointerleave", (event) => pointed(-1, event));
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.scale(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...placeOn(canvas, event)); }, { passive: false });
    this.reset();
  }

  // xs, ys: in [0, 1].
  show(xs, ys) {
    this.xs = xs;
    this.ys = ys;
    this.selected = new Uint8Array(xs.length);
    this.codes = new Uint16Array(xs.length);
    this.colors = [0xff999999];
    this.plain = 1;
    this.reset();
  }

  // codes: which color each dot has; colors: ABGR; plain: of the first so many colors dots lie below the others.
  color(codes, colors, plain) {
    Object.assign(this, { codes, colors, plain });
    this.later();
  }

  select(positions) {
    this.selected.fill(0);
    for (const position of positions) this.selected[position] = 1;
    this.later();
  }

  reset() {
    this.zoom = 1;
    this.left = 0;
    this.top = 0;
    this.later();
  }

  // What a place of the map is in pixels of the canvas: side, and where its corner lies.
  get frame() {
    const ratio = window.devicePixelRatio;
    const side = Math.max(1, Math.min(this.canvas.width, this.canvas.height) - 2 * PAD * ratio);
    return { side: side * this.zoom, left: (this.canvas.width - side) / 2 + this.left, top: (this.canvas.height - side) / 2 + this.top };
  }

  place(x, y) {
    const { side, left, top } = this.frame;
    return [(x - left) / side, (y - top) / side];
  }

  nearest(x, y, near = MOUSE_PX.near) {
    const { side, left, top } = this.frame;
    const far = near * window.devicePixelRatio;
    let [best, found] = [far * far, -1];
    for (let position = 0; position < this.xs.length; position += 1) {
      const across = this.xs[position] * side + left - x;
      if (across > far || across < -far || this.hidden.has(this.codes[position])) continue;
      const down = this.ys[position] * side + top - y;
      const distance = across * across + down * down;
      if (distance < best) [best, found] = [distance, position];
    }
    return found;
  }

  // Zoom about a point of the canvas, by itself its middle.
  scale(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const [column, row] = this.place(x, y);
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    const { side, left, top } = this.frame;
    this.left += x - (left + column * side);
    this.top += y - (top + row * side);
    if (this.zoom === 1) [this.left, this.top] = [0, 0];
    this.later();
  }

  move(x, y) {
    if (this.zoom === 1) return;
    this.left += x;
    this.top += y;
    this.later();
  }

  grasp(event) {
    if (!this.xs.length) return null;
    const moves = this.moves || event.button !== 0;
    this.line = moves ? [] : [placeOn(this.canvas, event)];
    this.told.pointed(-1, event);
    const drag = (across, down, moved) => {
      if (moves) this.move(across, down);
      else { this.line.push(placeOn(this.canvas, moved)); this.later(); }
    };
    const end = (ended) => {
      const line = this.line;
      this.line = [];
      if (!moves && ended) this.told.drawn(this.meant(line, event.pointerType === "touch" ? FINGER_PX : MOUSE_PX), event.shiftKey);
      this.later();
    };
    return { drag, end };
  }

  pinch(factor, x, y, across, down) {
    this.scale(factor, x, y);
    this.move(across, down);
  }

  // What a drawn line means: all within it, or of a click the dot that is there.
  meant(line, { near, click }) {
    const [x, y] = line[0];
    if (line.every(([a, b]) => Math.hypot(a - x, b - y) < click * window.devicePixelRatio)) return [this.nearest(x, y, near)].filter((one) => one >= 0);
    const found = enclosed(this.xs, this.ys, line.map((point) => this.place(...point)));
    return found.filter((position) => !this.hidden.has(this.codes[position]));
  }

  // Paint before the next picture of the screen, once however often this is asked for.
  later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; this.paint(); });
  }

  paint() {
    const ratio = window.devicePixelRatio;
    const { width, height } = this.canvas.parentElement.getBoundingClientRect();
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    if (this.xs.length) this.paintDots(ratio);
    this.paintNumbers(ratio);
    if (this.line.length > 1) {
      const path = new Path2D();
      this.line.forEach(([x, y]) => path.lineTo(x, y));
      path.closePath();
      Object.assign(this.context, { fillStyle: "#ffffff1f", strokeStyle: "#ffffff", lineWidth: 1.5 * ratio });
      this.context.fill(path);
      this.context.stroke(path);
    }
  }

  // Dots straight into pixels, which 100,000 of them need: those that say nothing first, selected ones last and ringed.
  paintDots(ratio) {
    const { width, height } = this.canvas;
    const pixels = this.context.createImageData(width, height);
    const out = new Uint32Array(pixels.data.buffer);
    const usual = this.xs.length > 20000 ? 1.5 : 2.5;
    const radius = Math.min(7, usual * this.zoom ** 0.35) * ratio;
    const { side, left, top } = this.frame;
    const stamp = (disc, position, color) => {
      const x = Math.round(this.xs[position] * side + left);
      const y = Math.round(this.ys[position] * side + top);
      for (let at = 0; at < disc.length; at += 2) {
        const [column, row] = [x + disc[at], y + disc[at + 1]];
        if (column >= 0 && column < width && row >= 0 && row < height) out[row * width + column] = color;
      }
    };
    const [dot, ring] = [disc(radius), disc(radius + 1.5 * ratio)];
    for (let pass = 0; pass < 3; pass += 1) {
      for (let position = 0; position < this.xs.length; position += 1) {
        const code = this.codes[position];
        const layer = this.selected[position] ? 2 : Number(code >= this.plain);
        if (layer !== pass || this.hidden.has(code)) continue;
        if (pass === 2) stamp(ring, position, 0xffffffff);
        stamp(dot, position, this.colors[code]);
      }
    }
    this.context.putImageData(pixels, 0, 0);
  }

  paintNumbers(ratio) {
    const { side, left, top } = this.frame;
    Object.assign(this.context, { font: `600 ${13 * ratio}px system-ui, sans-serif`, textAlign: "center", textBaseline: "middle", lineWidth: 4 * ratio, strokeStyle: "#000000", fillStyle: "#ffffff" });
    // Above its place, so that it does not cover the only scan that is there.
    const up = 13 * ratio;
    for (const { x, y, text } of this.numbers) {
      this.context.strokeText(text, x * side + left, y * side + top - up);
      this.context.fillText(text, x * side + left, y * side + top - up);
    }
  }
}

// The offsets of all pixels of a dot.
function disc(radius) {
  const found = [];
  const most = Math.ceil(radius);
  for (let row = -most; row <= most; row += 1) {
    for (let column = -most; column <= most; column += 1) if (column * column + row * row <= radius * radius) found.push(column, row);
  }
  return Int16Array.from(found);
}
