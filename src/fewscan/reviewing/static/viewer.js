// A scan on a canvas: its gray levels through a window that can be moved, zoomed and moved about.

import { askBytes } from "./asking.js";
import { heedDrags } from "./drags.js";

const WHITE = 255;

// kind: levels, or heat with what else it is asked by.
export async function fetched(row, kind = "levels") {
  const answer = await askBytes(`/api/scans/${row}/${kind}`);
  const head = JSON.parse(answer.headers.get("x-levels"));
  const bytes = await answer.arrayBuffer();
  return { ...head, levels: head.bits === 16 ? new Uint16Array(bytes) : new Uint8Array(bytes) };
}

export class Viewer {
  constructor(canvas, told) {
    this.canvas = canvas;
    this.told = told;
    this.image = null;
    this.moves = false;
    this.reset();
    new ResizeObserver(() => this.paint()).observe(canvas.parentElement);
    heedDrags(canvas, (event) => this.grasp(event), (...fingers) => this.pinch(...fingers));
  }

  show(image, keep) {
    this.image = image;
    if (!keep) this.reset();
    this.render();
  }

  clear() {
    this.image = null;
    this.paint();
  }

  get hasWindow() {
    return this.image !== null && this.image.bits !== 24;
  }

  reset() {
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    if (this.image) {
      this.black = this.image.black;
      this.white = this.image.white;
      this.render();
    }
  }

  // Move level and width by these shares of the width.
  adjust(level, width) {
    if (!this.hasWindow) return;
    const span = this.white - this.black;
    const center = (this.white + this.black) / 2 + level * span;
    const least = Math.abs(this.image.step);
    const wider = Math.sign(span || 1) * Math.max(least, Math.abs(span) * (1 + width));
    this.black = center - wider / 2;
    this.white = center + wider / 2;
    this.render();
  }

  // Zoom about a place, in pixels of the canvas from its middle.
  scale(factor, x = 0, y = 0) {
    const before = this.zoom;
    this.zoom = Math.min(16, Math.max(1, this.zoom * factor));
    this.x = x + (this.x - x) * (this.zoom / before);
    this.y = y + (this.y - y) * (this.zoom / before);
    this.paint(); // which keeps the scan on the canvas
  }

  move(x, y) {
    if (this.zoom === 1) return;
    this.x += x;
    this.y += y;
    this.paint();
  }

  grasp(event) {
    if (!this.image) return null;
    const moves = this.moves || event.shiftKey || event.button !== 0;
    const { image, black, white } = this;
    const drag = (across, down) => {
      const whole = 300 * window.devicePixelRatio; // a drag that moves level and width by themselves
      if (moves) this.move(across, down);
      else this.adjust(-down / whole, across / whole);
    };
    const end = (ended) => {
      if (ended || moves || this.image !== image) return;
      Object.assign(this, { black, white });
      this.render();
    };
    return { drag, end };
  }

  pinch(factor, x, y, across, down) {
    if (!this.image) return;
    this.scale(factor, x - this.canvas.width / 2, y - this.canvas.height / 2);
    this.move(across, down);
  }

  // Levels -> pixels through the window.
  render() {
    if (!this.image) return;
    const { rows, columns, levels, bits, low, step } = this.image;
    const pixels = new ImageData(columns, rows);
    const out = new Uint32Array(pixels.data.buffer);
    if (bits === 24) {
      for (let at = 0; at < out.length; at += 1) {
        out[at] = 0xff000000 | (levels[3 * at + 2] << 16) | (levels[3 * at + 1] << 8) | levels[3 * at];
      }
    } else {
      const shades = new Uint32Array(2 ** bits);
      const span = this.white - this.black || step;
      for (let level = 0; level < shades.length; level += 1) {
        const shade = Math.round(Math.min(1, Math.max(0, (low + step * level - this.black) / span)) * WHITE);
        shades[level] = 0xff000000 | (shade << 16) | (shade << 8) | shade;
      }
      for (let at = 0; at < out.length; at += 1) out[at] = shades[levels[at]];
    }
    this.picture ??= document.createElement("canvas");
    this.picture.width = columns;
    this.picture.height = rows;
    this.picture.getContext("2d").putImageData(pixels, 0, 0);
    this.paint();
  }

  // Pixels -> the canvas, as large as it is.
  paint() {
    const ratio = window.devicePixelRatio;
    const { width, height } = this.canvas.parentElement.getBoundingClientRect();
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    const context = this.canvas.getContext("2d");
    if (!this.image || !this.picture) return;
    const fit = Math.min(this.canvas.width / this.image.width, this.canvas.height / this.image.height) * this.zoom;
    const [wide, high] = [this.image.width * fit, this.image.height * fit];
    const most = [Math.max(0, (wide - this.canvas.width) / 2), Math.max(0, (high - this.canvas.height) / 2)];
    this.x = Math.min(most[0], Math.max(-most[0], this.x));
    this.y = Math.min(most[1], Math.max(-most[1], this.y));
    context.imageSmoothingEnabled = fit < 6;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, (this.canvas.width - wide) / 2 + this.x, (this.canvas.height - high) / 2 + this.y, wide, high);
    this.told();
  }
}
